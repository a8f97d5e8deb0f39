/* The one answer to "may this person use that room?". */

#ifndef RT_ACCESS_H
#define RT_ACCESS_H

#include <rt/rt_token.h>

#include "store/rt_store.h"


/* Pure. RT_OK: may read, join and write. RT_NOT_FOUND: a room of another business, whose existence
 * is not revealed. RT_FORBIDDEN: of the same business, and not theirs. */
rt_status_t rt_access_room(const rt_identity_t *identity, const rt_room_t *room);

/* The same rule for lists: the view, business_id and user_id of a query that finds exactly the
 * rooms for which rt_access_room says RT_OK. business_id: that of the caller, or what SUPER_ADMIN
 * asks for (empty: all). */
void rt_access_query(const rt_identity_t *identity, rt_str_t business_id, rt_room_query_t *query);

#endif
