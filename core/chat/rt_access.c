/* The one room-access check, for REST and sockets, single rooms and lists. */

#include "chat/rt_access.h"


static int
rt_access_is(const rt_identity_t *identity, rt_str_t user_id)
{
    return user_id.len != 0 && rt_str_eq(identity->user_id, user_id);
}


static rt_status_t
rt_access_customer(const rt_identity_t *identity, const rt_room_t *room)
{
    if (identity->business_id.len && !rt_str_eq(identity->business_id, room->business_id)) {
        return RT_NOT_FOUND;
    }

    if (room->type == RT_ROOM_CUSTOMER_SUPPORT && rt_access_is(identity, room->user_id)) {
        return RT_OK;
    }

    return RT_FORBIDDEN;
}


static rt_status_t
rt_access_staff(const rt_identity_t *identity, const rt_room_t *room)
{
    int is_super, is_owner;

    is_super = identity->role == RT_ROLE_SUPER_ADMIN;
    is_owner = rt_access_is(identity, room->owner_id);

    if (!is_super && !rt_str_eq(identity->business_id, room->business_id)) {
        return RT_NOT_FOUND;
    }

    switch (room->type) {

    case RT_ROOM_CUSTOMER_SUPPORT:
    case RT_ROOM_STAFF_CHAT:
        return RT_OK;

    case RT_ROOM_TEAM_CHAT:
        return is_owner || rt_access_is(identity, room->member_id) ? RT_OK : RT_FORBIDDEN;

    case RT_ROOM_ADMIN_SUPPORT:
        return is_owner || is_super ? RT_OK : RT_FORBIDDEN;
    }

    return RT_FORBIDDEN;
}


rt_status_t
rt_access_room(const rt_identity_t *identity, const rt_room_t *room)
{
    if (rt_role_is_staff(identity->role)) {
        return rt_access_staff(identity, room);
    }

    if (identity->role == RT_ROLE_CUSTOMER) {
        return rt_access_customer(identity, room);
    }

    return RT_FORBIDDEN;
}


void
rt_access_query(const rt_identity_t *identity, rt_str_t business_id, rt_room_query_t *query)
{
    query->business_id = business_id;
    query->user_id = identity->user_id;

    if (identity->role == RT_ROLE_SUPER_ADMIN) {
        query->view = RT_VIEW_ALL;
    } else if (rt_role_is_staff(identity->role)) {
        query->view = RT_VIEW_STAFF;
    } else {
        query->view = RT_VIEW_CUSTOMER;
    }
}
