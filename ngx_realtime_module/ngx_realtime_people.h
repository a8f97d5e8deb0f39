/* People in rooms: who came, who left, who types, told once per person and not per socket. Event
 * loop only. */

#ifndef NGX_REALTIME_PEOPLE_H
#define NGX_REALTIME_PEOPLE_H

#include "ngx_realtime.h"
#include "ngx_realtime_hub.h"

/* A socket entered a room: the room is told when it is that person's first one in the cluster. */
void ngx_realtime_people_joined(ngx_realtime_member_t *m);

/* Takes a socket out of a channel; of a room the others are told that the typing stopped and, when
 * it was that person's last one in the cluster, that they left. */
void ngx_realtime_people_leave(ngx_realtime_member_t *m);

/* The same without telling anybody: the socket lives on at another worker. */
void ngx_realtime_people_forget(ngx_realtime_member_t *m);

/* Tells the room, and stops by itself after 8 s of silence. */
void ngx_realtime_people_typing(ngx_realtime_member_t *m, ngx_uint_t typing);

/* The bus asks: is this user in that room here, and since when? See ngx_realtime_bus.h. */
void ngx_realtime_people_on_request(ngx_str_t *channel, ngx_str_t *payload, ngx_str_t *answer,
    size_t answer_size);

void ngx_realtime_people_init(void);

/* After the bus: it calls nobody any more. */
void ngx_realtime_people_exit(void);

#endif
