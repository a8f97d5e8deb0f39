/* The cluster shared with Node servers: rooms, and the clients in them. */

#include "ngx_realtime_adapter_private.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_ADAPTER_FORMS 2 /* a name as it is, and with or without "room:" */

/* What a name may stand for. */
typedef struct {
    ngx_realtime_channel_t  *channel; /* of ours, or NULL */
    ngx_realtime_labelled_t *labelled[NGX_REALTIME_ADAPTER_FORMS];
} ngx_realtime_place_t;

static ngx_uint_t               ngx_realtime_adapter_begins(ngx_str_t *name, const char *with);
static ngx_realtime_labelled_t *ngx_realtime_adapter_labelled(ngx_str_t *name);
static void       ngx_realtime_adapter_place(ngx_str_t *name, ngx_realtime_place_t *place);
static void       ngx_realtime_adapter_drop(ngx_realtime_label_t *label);
static ngx_uint_t ngx_realtime_adapter_is_in(ngx_realtime_space_t *space,
    ngx_realtime_session_t                                        *s);
static ngx_int_t  ngx_realtime_adapter_visit(ngx_realtime_space_t *space, ngx_realtime_session_t *s,
     ngx_realtime_member_t *m, ngx_uint_t flags);
static ngx_int_t  ngx_realtime_adapter_walk(ngx_realtime_space_t *space, ngx_str_t *name,
     ngx_uint_t flags, ngx_uint_t mark);


static ngx_uint_t
ngx_realtime_adapter_begins(ngx_str_t *name, const char *with)
{
    size_t len;

    len = ngx_strlen(with);

    return name->len > len && ngx_strncmp(name->data, with, len) == 0;
}


static ngx_realtime_labelled_t *
ngx_realtime_adapter_labelled(ngx_str_t *name)
{
    return (ngx_realtime_labelled_t *) ngx_str_rbtree_lookup(&ngx_realtime_adapter->rooms, name,
        ngx_murmur_hash2(name->data, name->len));
}


static void
ngx_realtime_adapter_place(ngx_str_t *name, ngx_realtime_place_t *place)
{
    u_char    buffer[NGX_REALTIME_ADAPTER_NAME_MAX + 5];
    ngx_str_t other, *channel;

    ngx_memzero(place, sizeof(ngx_realtime_place_t));

    if (name->len > NGX_REALTIME_ADAPTER_NAME_MAX) {
        return;
    }

    ngx_str_null(&other);
    channel = name;

    if (ngx_realtime_adapter_begins(name, "room:")) {
        other.data = name->data + 5;
        other.len = name->len - 5;

    } else if (!ngx_realtime_adapter_begins(name, "business:")
        && !ngx_realtime_adapter_begins(name, "user:"))
    {
        other.data = buffer;
        other.len = ngx_cpymem(ngx_cpymem(buffer, "room:", 5), name->data, name->len) - buffer;
        channel = &other;
    }

    place->channel = ngx_realtime_hub_channel(channel);
    place->labelled[0] = ngx_realtime_adapter_labelled(name);

    if (other.len) {
        place->labelled[1] = ngx_realtime_adapter_labelled(&other);
    }
}


ngx_uint_t
ngx_realtime_adapter_knows(ngx_str_t *room)
{
    ngx_realtime_place_t place;

    ngx_realtime_adapter_place(room, &place);

    return place.channel != NULL || place.labelled[0] != NULL || place.labelled[1] != NULL;
}


/* One label less; the room goes with its last. */
static void
ngx_realtime_adapter_drop(ngx_realtime_label_t *label)
{
    ngx_realtime_label_t   **prev;
    ngx_realtime_labelled_t *room;

    for (prev = &label->session->labels; *prev != label; prev = &(*prev)->next) {
        /* void */
    }

    *prev = label->next;

    room = label->room;
    ngx_queue_remove(&label->link);
    ngx_realtime_adapter->labels -= !label->own;
    ngx_free(label);

    if (ngx_queue_empty(&room->labels)) {
        ngx_rbtree_delete(&ngx_realtime_adapter->rooms, &room->node.node);
        ngx_free(room);
    }
}


void
ngx_realtime_adapter_label(ngx_realtime_session_t *s, ngx_str_t *name, ngx_uint_t own)
{
    ngx_uint_t               count;
    ngx_realtime_label_t    *label;
    ngx_realtime_labelled_t *room;

    room = ngx_realtime_adapter_labelled(name);

    for (count = 0, label = s->labels; label != NULL; label = label->next) {
        if (label->room == room) {
            return;
        }

        count++;
    }

    if (name->len == 0 || name->len > NGX_REALTIME_ADAPTER_NAME_MAX
        || count > NGX_REALTIME_ADAPTER_LABELS_MAX)
    {
        ngx_realtime_adapter_warn("Node puts a client into a room", "name or number is too large");
        return;
    }

    label = ngx_calloc(sizeof(ngx_realtime_label_t), ngx_cycle->log);
    if (label == NULL) {
        return;
    }

    if (room == NULL) {
        room = ngx_calloc(sizeof(ngx_realtime_labelled_t) + name->len, ngx_cycle->log);
        if (room == NULL) {
            ngx_free(label);
            return;
        }

        room->node.str.data = (u_char *) room + sizeof(ngx_realtime_labelled_t);
        room->node.str.len = name->len;
        ngx_memcpy(room->node.str.data, name->data, name->len);
        room->node.node.key = ngx_murmur_hash2(name->data, name->len);
        ngx_queue_init(&room->labels);
        ngx_rbtree_insert(&ngx_realtime_adapter->rooms, &room->node.node);
    }

    label->session = s;
    label->room = room;
    label->own = own ? 1 : 0;
    label->next = s->labels;
    s->labels = label;
    ngx_queue_insert_tail(&room->labels, &label->link);
    ngx_realtime_adapter->labels += !label->own;
}


/* In whichever form it was given. */
void
ngx_realtime_adapter_unlabel(ngx_realtime_session_t *s, ngx_str_t *name)
{
    ngx_uint_t            i;
    ngx_realtime_label_t *label, *next;
    ngx_realtime_place_t  place;

    ngx_realtime_adapter_place(name, &place);

    for (label = s->labels; label != NULL; label = next) {
        next = label->next;

        for (i = 0; i < NGX_REALTIME_ADAPTER_FORMS; i++) {
            if (label->room == place.labelled[i] && !label->own) {
                ngx_realtime_adapter_drop(label);
                break;
            }
        }
    }
}


void
ngx_realtime_adapter_connected(ngx_realtime_session_t *s)
{
    ngx_str_t name;

    if (ngx_realtime_adapter != NULL) {
        name.data = s->socket_id;
        name.len = sizeof(s->socket_id);
        ngx_realtime_adapter_label(s, &name, 1);
    }
}


void
ngx_realtime_adapter_left(ngx_realtime_session_t *s)
{
    if (ngx_realtime_adapter == NULL) {
        return;
    }

    while (s->labels != NULL) {
        ngx_realtime_adapter_drop(s->labels);
    }

    ngx_realtime_adapter_forget_awaited(s);
}


static ngx_uint_t
ngx_realtime_adapter_is_in(ngx_realtime_space_t *space, ngx_realtime_session_t *s)
{
    return !s->closed && s->conf->namespace.len == space->name.len
        && ngx_strncmp(s->conf->namespace.data, space->name.data, space->name.len) == 0;
}


/* m: the membership by which it was found, or NULL. */
static ngx_int_t
ngx_realtime_adapter_visit(ngx_realtime_space_t *space, ngx_realtime_session_t *s,
    ngx_realtime_member_t *m, ngx_uint_t flags)
{
    ngx_uint_t              size;
    ngx_realtime_found_t   *found;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    if (s->visit == adapter->visit || !ngx_realtime_adapter_is_in(space, s)) {
        return NGX_OK;
    }

    if (s->standing != NGX_REALTIME_CONNECTED) {

        /* who comes in hears only by a channel, which holds it meanwhile */
        if (!(flags & NGX_REALTIME_FIND_ENTERING) || s->standing == NGX_REALTIME_STRANGER
            || m == NULL) {
            return NGX_OK;
        }

    } else if (ngx_realtime_adapter_arrives(s)) {

        if (!(flags & (NGX_REALTIME_FIND_ENTERING | NGX_REALTIME_FIND_ARRIVING))) {
            return NGX_OK;
        }

        /* as do those on their way here: by any of their channels */
        if (m == NULL) {
            m = s->members;
        }

    } else if (m != NULL && !m->entered && !(flags & NGX_REALTIME_FIND_ENTERING)) {
        return NGX_OK; /* it is just joining */
    }

    s->visit = adapter->visit;

    if (adapter->found_count == adapter->found_size) {
        size = adapter->found_size ? adapter->found_size * 2 : 64;

        found = realloc(adapter->found, size * sizeof(ngx_realtime_found_t));
        if (found == NULL) {
            return NGX_ERROR;
        }

        adapter->found = found;
        adapter->found_size = size;
    }

    adapter->found[adapter->found_count].session = s;
    adapter->found[adapter->found_count].member = m;
    adapter->found_count++;

    return NGX_OK;
}


/* mark: those in it are taken for visited. */
static ngx_int_t
ngx_realtime_adapter_walk(ngx_realtime_space_t *space, ngx_str_t *name, ngx_uint_t flags,
    ngx_uint_t mark)
{
    ngx_uint_t             i;
    ngx_queue_t           *q, *list;
    ngx_realtime_place_t   place;
    ngx_realtime_label_t  *label;
    ngx_realtime_member_t *m;

    ngx_realtime_adapter_place(name, &place);

    if (place.channel != NULL) {
        list = &place.channel->members;

        for (q = ngx_queue_head(list); q != ngx_queue_sentinel(list); q = ngx_queue_next(q)) {
            m = ngx_queue_data(q, ngx_realtime_member_t, link);

            /* of those that we have put there Node's label says nothing new */
            if (mark || flags & NGX_REALTIME_FIND_LABELLED) {
                m->session->visit = ngx_realtime_adapter->visit;

            } else if (ngx_realtime_adapter_visit(space, m->session, m, flags) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    for (i = 0; i < NGX_REALTIME_ADAPTER_FORMS; i++) {

        if (place.labelled[i] == NULL) {
            continue;
        }

        list = &place.labelled[i]->labels;

        for (q = ngx_queue_head(list); q != ngx_queue_sentinel(list); q = ngx_queue_next(q)) {
            label = ngx_queue_data(q, ngx_realtime_label_t, link);

            if (mark) {
                label->session->visit = ngx_realtime_adapter->visit;

            } else if (ngx_realtime_adapter_visit(space, label->session, NULL, flags) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_realtime_adapter_find(ngx_realtime_space_t *space, const rt_adapter_names_t *rooms,
    const rt_adapter_names_t *except, ngx_uint_t flags)
{
    size_t       i;
    ngx_str_t    name;
    ngx_queue_t *q;

    ngx_realtime_adapter->visit++;
    ngx_realtime_adapter->found_count = 0;

    for (i = 0; i < except->count; i++) {
        name = ngx_realtime_ngx_str(except->names[i]);
        (void) ngx_realtime_adapter_walk(space, &name, flags, 1);
    }

    for (i = 0; i < rooms->count; i++) {
        name = ngx_realtime_ngx_str(rooms->names[i]);

        if (ngx_realtime_adapter_walk(space, &name, flags, 0) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (rooms->count != 0 || flags & NGX_REALTIME_FIND_LABELLED) {
        return NGX_OK;
    }

    for (q = ngx_queue_head(ngx_realtime_sessions());
         q != ngx_queue_sentinel(ngx_realtime_sessions()); q = ngx_queue_next(q))
    {
        if (ngx_realtime_adapter_visit(space, ngx_queue_data(q, ngx_realtime_session_t, link), NULL,
                flags)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_realtime_session_t *
ngx_realtime_adapter_socket(ngx_realtime_space_t *space, rt_str_t id)
{
    ngx_str_t                name;
    ngx_realtime_label_t    *label;
    ngx_realtime_labelled_t *room;

    name = ngx_realtime_ngx_str(id);
    room = ngx_realtime_adapter_labelled(&name);

    if (room == NULL) {
        return NULL;
    }

    label = ngx_queue_data(ngx_queue_head(&room->labels), ngx_realtime_label_t, link);

    return label->own && ngx_realtime_adapter_is_in(space, label->session) ? label->session : NULL;
}


/* The rooms where it is by itself, and those where Node has put it, once each. */
void
ngx_realtime_adapter_put_rooms(rt_buf_t *out, ngx_realtime_session_t *s)
{
    ngx_realtime_label_t  *label;
    ngx_realtime_member_t *m;

    rt_buf_append_json_string(out, (rt_str_t){(char *) s->socket_id, sizeof(s->socket_id)});

    for (m = s->members; m != NULL; m = m->next) {
        if (m->entered) {
            rt_buf_append_str(out, rt_str(","));
            rt_buf_append_json_string(out, ngx_realtime_str(m->channel->node.str));
        }
    }

    for (label = s->labels; label != NULL; label = label->next) {
        if (!label->own && ngx_realtime_hub_find(s, &label->room->node.str) == NULL) {
            rt_buf_append_str(out, rt_str(","));
            rt_buf_append_json_string(out, ngx_realtime_str(label->room->node.str));
        }
    }
}


void
ngx_realtime_adapter_put_all_rooms(rt_buf_t *out, ngx_realtime_space_t *space)
{
    ngx_uint_t              some;
    ngx_queue_t            *q, *list;
    ngx_rbtree_t           *rooms = &ngx_realtime_adapter->rooms;
    ngx_rbtree_node_t      *node;
    ngx_realtime_member_t  *m;
    ngx_realtime_channel_t *ch;

    some = 0;

    for (ch = ngx_realtime_hub_first(); ch != NULL; ch = ngx_realtime_hub_next(ch)) {
        list = &ch->members;

        for (q = ngx_queue_head(list); q != ngx_queue_sentinel(list); q = ngx_queue_next(q)) {
            m = ngx_queue_data(q, ngx_realtime_member_t, link);

            if (m->entered && ngx_realtime_adapter_is_in(space, m->session)) {
                rt_buf_append(out, ",", some++ != 0);
                rt_buf_append_json_string(out, ngx_realtime_str(ch->node.str));
                break;
            }
        }
    }

    if (rooms->root == rooms->sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(rooms->root, rooms->sentinel); node != NULL;
         node = ngx_rbtree_next(rooms, node))
    {
        rt_buf_append(out, ",", some++ != 0);
        rt_buf_append_json_string(out,
            ngx_realtime_str(((ngx_realtime_labelled_t *) node)->node.str));
    }
}


json_t *
ngx_realtime_adapter_export(ngx_realtime_session_t *s)
{
    json_t               *names;
    ngx_realtime_label_t *label;

    names = json_array();

    for (label = s->labels; label != NULL; label = label->next) {
        if (!label->own
            && json_array_append_new(names,
                   json_stringn((char *) label->room->node.str.data, label->room->node.str.len))
                != 0)
        {
            json_decref(names);
            return NULL;
        }
    }

    return names;
}


json_t *
ngx_realtime_adapter_export_rest(ngx_realtime_session_t *s)
{
    return json_pack("{s:o,s:o,s:I}", "labels", ngx_realtime_adapter_export(s), "awaited",
        ngx_realtime_adapter_export_awaited(s), "foreign", (json_int_t) s->foreign);
}


/* early: of those that it has no more in the end it was taken out at the old worker. */
static void
ngx_realtime_adapter_import_labels(ngx_realtime_session_t *s, json_t *names, ngx_uint_t early)
{
    size_t                i;
    json_t               *value;
    ngx_str_t             name;
    ngx_realtime_label_t *label;

    json_array_foreach(names, i, value)
    {
        name.data = (u_char *) json_string_value(value);
        name.len = json_string_length(value);
        ngx_realtime_adapter_label(s, &name, 0);

        for (label = s->labels; label != NULL; label = label->next) {
            if (label->room->node.str.len == name.len
                && ngx_memcmp(label->room->node.str.data, name.data, name.len) == 0)
            {
                label->early = early ? 1 : 0;
            }
        }
    }
}


void
ngx_realtime_adapter_import(ngx_realtime_session_t *s, json_t *state)
{
    if (ngx_realtime_adapter != NULL && s->standing == NGX_REALTIME_CONNECTED) {
        ngx_realtime_adapter_connected(s);
        ngx_realtime_adapter_import_labels(s, state, 1);
    }
}


void
ngx_realtime_adapter_import_rest(ngx_realtime_session_t *s, json_t *state)
{
    ngx_realtime_label_t *label, *next;

    if (ngx_realtime_adapter == NULL) {
        return;
    }

    ngx_realtime_adapter_import_labels(s, json_object_get(state, "labels"), 0);

    for (label = s->labels; label != NULL; label = next) {
        next = label->next;

        if (label->early) {
            ngx_realtime_adapter_drop(label);
        }
    }

    ngx_realtime_adapter_import_awaited(s, json_object_get(state, "awaited"));

    ngx_realtime_adapter_catch_up(s,
        (uint64_t) json_integer_value(json_object_get(state, "foreign")));
}


void
ngx_realtime_adapter_imported(ngx_realtime_session_t *s)
{
    if (s->expelled && !s->closed) {
        ngx_realtime_adapter_disconnect(s, s->expelled == NGX_REALTIME_EXPELLED_CLOSE);
    }
}
