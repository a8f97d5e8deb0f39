'use strict';

// The events that the server takes; docs/events.md says what becomes of each.
module.exports.EVENTS = Object.freeze([
    'booking.created', 'booking.status-changed', 'payment.received', 'payment.failed',
    'client.created', 'client.updated', 'appointment.reminder', 'appointment.cancelled',
    'staff.availability-changed', 'inventory.low-stock', 'system.alert', 'audit.created',
]);
