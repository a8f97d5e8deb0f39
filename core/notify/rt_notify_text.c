/* Titles and messages: templates filled with what a payload names.
 *
 *     {who}        the person, else the kind's `nobody`
 *     {status} …   see rt_notify_slots; each says something even when the payload does not, but
 *     [ … {x} … ]  is left out when x is missing
 *
 * Payloads come from services of many hands: a member that is missing or of another type makes the
 * text vaguer, never an error. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "notify/rt_notify.h"


#define RT_NOTIFY_VALUE_BYTES 256 /* of a value in a text; longer ones are cut */
#define RT_NOTIFY_NUMBER      40
#define RT_NOTIFY_PERSON_DEEP 3 /* booking.client.profile */

/* 1: something was appended. */
typedef int (*rt_notify_slot_pt)(rt_buf_t *buf, const json_t *payload);

typedef struct {
    const char       *name;
    rt_notify_slot_pt put;
    const char       *otherwise; /* NULL: the kind's `nobody` */
} rt_notify_slot_t;


/* One line: control characters become spaces, as do the line separators that some screens know. */
static void
rt_notify_put_line(rt_buf_t *buf, rt_str_t s)
{
    size_t        i, end;
    unsigned char c, next;

    end = s.len;

    if (end > RT_NOTIFY_VALUE_BYTES) {
        end = RT_NOTIFY_VALUE_BYTES;

        while (((unsigned char) s.data[end] & 0xc0) == 0x80) {
            end--;
        }
    }

    for (i = 0; i < end; i++) {
        c = (unsigned char) s.data[i];
        next = i + 1 < end ? (unsigned char) s.data[i + 1] : 0;

        if (c < 0x20 || c == 0x7f) {
            rt_buf_append(buf, " ", 1);

        } else if (c == 0xc2 && next >= 0x80 && next <= 0x9f) {
            rt_buf_append(buf, " ", 1);
            i++;

        } else {
            rt_buf_append(buf, &s.data[i], 1);
        }
    }
}


/* As people write it: 49.5 as an amount is 49.50, and 150 is 150. */
static void
rt_notify_put_real(rt_buf_t *buf, double value)
{
    int  length;
    char text[RT_NOTIFY_NUMBER];

    if (value == (double) (int64_t) value) {
        rt_buf_append_int(buf, (int64_t) value);
        return;
    }

    length = snprintf(text, sizeof(text), "%.2f", value);

    if (strtod(text, NULL) != value || length >= (int) sizeof(text)) {
        length = snprintf(text, sizeof(text), "%.15g", value);
    }

    rt_buf_append(buf, text, (size_t) length);
}


int
rt_notify_put_value(rt_buf_t *buf, const json_t *value)
{
    double   number;
    rt_str_t text;

    if (json_is_string(value)) {
        text = (rt_str_t){json_string_value(value), json_string_length(value)};

        if (!rt_utf8_has_content(text)) {
            return 0;
        }

        rt_notify_put_line(buf, text);
        return 1;
    }

    if (json_is_integer(value)) {
        rt_buf_append_int(buf, (int64_t) json_integer_value(value));
        return 1;
    }

    if (json_is_real(value)) {
        number = json_real_value(value);

        if (number > -1e15 && number < 1e15) {
            rt_notify_put_real(buf, number);
            return 1;
        }
    }

    return 0;
}


static int
rt_notify_put_member(rt_buf_t *buf, const json_t *object, const char *key)
{
    return rt_notify_put_value(buf, json_object_get(object, key));
}


/* A member that is a text, for names: a number is none. */
static int
rt_notify_put_name(rt_buf_t *buf, const json_t *object, const char *key)
{
    const json_t *value;

    value = json_object_get(object, key);

    return json_is_string(value) && rt_notify_put_value(buf, value);
}


static int
rt_notify_put_first_last(rt_buf_t *buf, const json_t *object)
{
    size_t before;

    before = buf->len;

    if (rt_notify_put_name(buf, object, "firstName")) {
        rt_buf_append(buf, " ", 1);

        if (!rt_notify_put_name(buf, object, "lastName")) {
            buf->len -= buf->failed ? 0 : 1;
        }

    } else {
        rt_notify_put_name(buf, object, "lastName");
    }

    return buf->len != before;
}


static int
rt_notify_put_person_in(rt_buf_t *buf, const json_t *object, int deep)
{
    size_t i;

    static const char *const names[] = {"clientName", "name", "customerName", "staffName",
        "userName"};
    static const char *const places[] = {"profile", "client", "customer", "booking", "appointment",
        "payment", "staff", "user"};

    if (!json_is_object(object)) {
        return 0;
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (rt_notify_put_name(buf, object, names[i])) {
            return 1;
        }
    }

    if (rt_notify_put_first_last(buf, object)) {
        return 1;
    }

    for (i = 0; deep > 0 && i < sizeof(places) / sizeof(places[0]); i++) {
        if (rt_notify_put_person_in(buf, json_object_get(object, places[i]), deep - 1)) {
            return 1;
        }
    }

    return 0;
}


int
rt_notify_put_person(rt_buf_t *buf, const json_t *payload)
{
    return rt_notify_put_person_in(buf, payload, RT_NOTIFY_PERSON_DEEP);
}


/* payment.amount, with its currency where it has one. */
static int
rt_notify_put_amount(rt_buf_t *buf, const json_t *payload)
{
    const json_t *payment;

    payment = json_object_get(payload, "payment");

    if (!rt_notify_put_member(buf, payment, "amount")) {
        payment = payload;

        if (!rt_notify_put_member(buf, payment, "amount")) {
            return 0;
        }
    }

    if (json_is_string(json_object_get(payment, "currency"))) {
        rt_buf_append(buf, " ", 1);

        if (!rt_notify_put_member(buf, payment, "currency")) {
            buf->len -= buf->failed ? 0 : 1;
        }
    }

    return 1;
}


static int
rt_notify_put_status(rt_buf_t *buf, const json_t *payload)
{
    size_t before;

    before = buf->len;
    rt_buf_append_str(buf, rt_str("is now "));

    if (rt_notify_put_member(buf, payload, "newStatus")
        || rt_notify_put_member(buf, payload, "status")
        || rt_notify_put_member(buf, json_object_get(payload, "booking"), "status"))
    {
        return 1;
    }

    buf->len = before;

    return 0;
}


static int
rt_notify_put_available(rt_buf_t *buf, const json_t *payload)
{
    const json_t *value;

    value = json_object_get(payload, "isAvailable");

    if (value == NULL) {
        value = json_object_get(json_object_get(payload, "staff"), "isAvailable");
    }

    if (!json_is_boolean(value)) {
        return 0;
    }

    rt_buf_append_str(buf,
        json_is_true(value) ? rt_str("is now available") : rt_str("is now unavailable"));

    return 1;
}


static int
rt_notify_put_product(rt_buf_t *buf, const json_t *payload)
{
    return rt_notify_put_name(buf, json_object_get(payload, "product"), "name")
        || rt_notify_put_name(buf, payload, "productName");
}


static int
rt_notify_put_alert_title(rt_buf_t *buf, const json_t *payload)
{
    return rt_notify_put_member(buf, json_object_get(payload, "alert"), "title")
        || rt_notify_put_member(buf, payload, "title");
}


static int
rt_notify_put_alert_message(rt_buf_t *buf, const json_t *payload)
{
    return rt_notify_put_member(buf, json_object_get(payload, "alert"), "message")
        || rt_notify_put_member(buf, payload, "message") || rt_notify_put_alert_title(buf, payload);
}


/* What was done, in the words of who did it. */
static int
rt_notify_put_audit_text(rt_buf_t *buf, const json_t *payload)
{
    const json_t *log;

    log = json_object_get(payload, "auditLog");

    if (rt_notify_put_member(buf, log, "description")) {
        return 1;
    }

    if (!rt_notify_put_member(buf, log, "action")) {
        return 0;
    }

    rt_buf_append(buf, " ", 1);

    if (!rt_notify_put_member(buf, log, "entity")) {
        buf->len -= buf->failed ? 0 : 1;
    }

    return 1;
}


static const rt_notify_slot_t rt_notify_slots[] = {
    {"who", rt_notify_put_person, NULL},
    {"amount", rt_notify_put_amount, "an unknown amount"},
    {"status", rt_notify_put_status, "has a new status"},
    {"available", rt_notify_put_available, "changed availability"},
    {"product", rt_notify_put_product, "A product"},
    {"alert.title", rt_notify_put_alert_title, "System Alert"},
    {"alert.message", rt_notify_put_alert_message, "The system raised an alert"},
    {"audit", rt_notify_put_audit_text, "An audit log was written"},
};


static const rt_notify_slot_t *
rt_notify_slot_find(rt_str_t name)
{
    size_t i;

    for (i = 0; i < sizeof(rt_notify_slots) / sizeof(rt_notify_slots[0]); i++) {
        if (rt_str_eq(rt_str_c(rt_notify_slots[i].name), name)) {
            return &rt_notify_slots[i];
        }
    }

    return NULL;
}


/* Templates are ours (rt_notify_kinds.c): brackets don't nest and braces close. */
static rt_str_t
rt_notify_fill(rt_arena_t *arena, const rt_notify_kind_t *kind, const char *template,
    const json_t *payload, rt_buf_t *buf)
{
    int                     optional, missing;
    size_t                  start;
    const char             *p, *end;
    const rt_notify_slot_t *slot;

    buf->len = 0;
    start = 0;
    missing = 0;
    optional = 0;

    for (p = template; *p != '\0'; p++) {

        if (*p == '[') {
            start = buf->len;
            missing = 0;
            optional = 1;

        } else if (*p == ']') {
            buf->len = missing ? start : buf->len;
            optional = 0;

        } else if (*p == '{') {
            end = strchr(p, '}');
            slot = rt_notify_slot_find((rt_str_t){p + 1, (size_t) (end - p - 1)});
            p = end;

            if (!slot->put(buf, payload)) {
                missing = optional;
                rt_buf_append_str(buf, rt_str_c(slot->otherwise ? slot->otherwise : kind->nobody));
            }

        } else {
            rt_buf_append(buf, p, 1);
        }
    }

    return buf->failed ? rt_str_null : rt_arena_str(arena, (rt_str_t){buf->data, buf->len});
}


/* What the payload asks for where it may (alerts), else the kind's. */
static rt_str_t
rt_notify_priority(const rt_notify_kind_t *kind, const json_t *payload)
{
    int      at;
    rt_str_t asked;

    if (kind->type != RT_NOTIFY_SYSTEM) {
        return rt_str_c(kind->priority);
    }

    asked = rt_json_get_str(json_object_get(payload, "alert"), "priority");

    if (asked.len == 0) {
        asked = rt_json_get_str(payload, "priority");
    }

    if (rt_str_eq(asked, rt_str("critical"))) {
        return rt_str("urgent");
    }

    at = rt_name_find(rt_priority_names, asked);

    return rt_str_c(at == -1 ? kind->priority : rt_priority_names[at]);
}


rt_status_t
rt_notify_write(rt_arena_t *arena, const rt_notify_kind_t *kind, const json_t *payload,
    rt_notification_t *item)
{
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));

    item->type = kind->type;
    item->sub_type = rt_notify_sub_type(kind);
    item->priority = rt_notify_priority(kind, payload);
    item->title = rt_notify_fill(arena, kind, kind->title, payload, &buf);
    item->message = rt_notify_fill(arena, kind, kind->message, payload, &buf);

    rt_buf_free(&buf);

    return item->title.data && item->message.data ? RT_OK : RT_NO_MEMORY;
}
