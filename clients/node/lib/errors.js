'use strict';

// The event is none that the server takes: no other try will change that.
class Refused extends Error
{
}

module.exports = { Refused };
