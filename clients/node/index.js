'use strict';

const { RealtimeEvents } = require('./lib/bridge');
const { Refused } = require('./lib/errors');
const { EVENTS } = require('./lib/events');
const { HttpSender } = require('./lib/http');
const { Publisher } = require('./lib/publisher');
const { StreamSender } = require('./lib/stream');

module.exports = { EVENTS, HttpSender, Publisher, RealtimeEvents, Refused, StreamSender };
