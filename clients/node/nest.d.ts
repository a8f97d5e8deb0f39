import { RealtimeEvents, RealtimeEventsOptions } from './index';

export { RealtimeEvents };

export declare class RealtimeEventsModule {
    static forRoot(options: RealtimeEventsOptions): any;
    static forRootAsync(options: {
        imports?: any[];
        inject?: any[];
        useFactory: (...args: any[]) => RealtimeEventsOptions | Promise<RealtimeEventsOptions>;
    }): any;
}
