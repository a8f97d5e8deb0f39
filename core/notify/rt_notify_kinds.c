/* The events that services raise, and what is made of each: docs/events.md is this table in words,
 * and a test reads it. A new event is a new line. */

#include <string.h>

#include "notify/rt_notify.h"


/* clang-format off */

static const rt_notify_kind_t rt_notify_kinds[] = {
    { "booking.created", RT_NOTIFY_BOOKING, "New Booking",
      "New booking from {who}", "a client", "high" },
    { "booking.status-changed", RT_NOTIFY_BOOKING, "Booking Status Changed",
      "Booking of {who} {status}", "a client", "medium" },
    { "payment.received", RT_NOTIFY_PAYMENT, "Payment Received",
      "Payment[ of {amount}] received from {who}", "a client", "medium" },
    { "payment.failed", RT_NOTIFY_PAYMENT, "Payment Failed",
      "Payment[ of {amount}] from {who} failed", "a client", "high" },
    { "client.created", RT_NOTIFY_CLIENT, "New Client",
      "New client: {who}", "a client", "medium" },
    { "client.updated", RT_NOTIFY_CLIENT, "Client Updated",
      "Details of {who} were updated", "a client", "low" },
    { "appointment.reminder", RT_NOTIFY_APPOINTMENT, "Appointment Reminder",
      "Upcoming appointment with {who}", "a client", "medium" },
    { "appointment.cancelled", RT_NOTIFY_APPOINTMENT, "Appointment Cancelled",
      "Appointment with {who} was cancelled", "a client", "high" },
    { "staff.availability-changed", RT_NOTIFY_STAFF, "Staff Availability Changed",
      "{who} {available}", "A staff member", "low" },
    { "inventory.low-stock", RT_NOTIFY_INVENTORY, "Low Stock",
      "{product} is running low", "", "high" },
    { "system.alert", RT_NOTIFY_SYSTEM, "{alert.title}",
      "{alert.message}", "", "medium" },
    { "audit.created", RT_NOTIFY_AUDIT, "Audit Log",
      "{audit}", "", "low" },
    { NULL, RT_NOTIFY_BOOKING, NULL, NULL, NULL, NULL }
};

/* clang-format on */


const rt_notify_kind_t *
rt_notify_kind_find(rt_str_t event)
{
    const rt_notify_kind_t *kind;

    for (kind = rt_notify_kinds; kind->event != NULL; kind++) {
        if (rt_str_eq(rt_str_c(kind->event), event)) {
            return kind;
        }
    }

    return NULL;
}


rt_str_t
rt_notify_sub_type(const rt_notify_kind_t *kind)
{
    return rt_str_c(strchr(kind->event, '.') + 1);
}
