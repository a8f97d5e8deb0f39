'use strict';

// The bridge as a module of NestJS:
//
//     imports: [EventEmitterModule.forRoot(), RealtimeEventsModule.forRoot({ url, secret })]

require('reflect-metadata');

const { Module } = require('@nestjs/common');
const { EventEmitter2 } = require('@nestjs/event-emitter');

const { RealtimeEvents } = require('./lib/bridge');

class RealtimeEventsModule
{
    static forRoot(options)
    {
        return RealtimeEventsModule.forRootAsync({ useFactory: () => options });
    }

    // useFactory gives the options, or a promise of them, from what is injected
    static forRootAsync({ imports = [], inject = [], useFactory })
    {
        return {
            module: RealtimeEventsModule,
            imports,
            providers: [{
                provide: RealtimeEvents,
                inject: [EventEmitter2, ...inject],
                useFactory: async (emitter, ...injected) =>
                    new RealtimeEvents(emitter, await useFactory(...injected)),
            }],
            exports: [RealtimeEvents],
        };
    }
}

Module({})(RealtimeEventsModule);

module.exports = { RealtimeEvents, RealtimeEventsModule };
