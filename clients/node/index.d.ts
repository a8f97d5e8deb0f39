export interface RaisedEvent {
    id: string;
    event: string;
    businessId: string;
    userId?: string | number | null;
    payload: Record<string, unknown>;
}

export interface Sender {
    send(events: RaisedEvent[]): Promise<void>;
    close(): Promise<void>;
}

export interface HttpOptions {
    /** of the server: http://host:port */
    url?: string;
    /** a token of role SERVICE, or what gives one */
    token?: string | (() => string | Promise<string>);
    /** what the server's realtime_jwt_secret is: tokens are signed by it */
    secret?: string;
    /** who is calling, in tokens that are signed here */
    name?: string;
    timeoutMs?: number;
}

export interface StreamOptions {
    /** a client of ioredis or node-redis, or redis://… */
    redis?: unknown;
    /** realtime:events */
    stream?: string;
    timeoutMs?: number;
}

export interface PublisherOptions {
    /** events that may wait (10000) */
    maxQueue?: number;
    /** events that are sent together (100) */
    batch?: number;
    retryMinMs?: number;
    retryMaxMs?: number;
    /** of an event that is lost; without an event: the server can't be reached, and is tried again */
    onError?: (error: Error, event?: Partial<RaisedEvent>) => void;
}

export interface RealtimeEventsOptions extends HttpOptions, StreamOptions, PublisherOptions {
    /** names, by default EVENTS */
    events?: string[];
    sender?: Sender;
}

export interface Emitter {
    on(event: string, listener: (...args: any[]) => void): unknown;
    off(event: string, listener: (...args: any[]) => void): unknown;
}

export declare const EVENTS: readonly string[];

export declare class Refused extends Error {}

export declare class HttpSender implements Sender {
    constructor(options: HttpOptions);
    send(events: RaisedEvent[]): Promise<void>;
    close(): Promise<void>;
}

export declare class StreamSender implements Sender {
    constructor(options: StreamOptions);
    send(events: RaisedEvent[]): Promise<void>;
    close(): Promise<void>;
}

export declare class Publisher {
    constructor(options: PublisherOptions & { sender: Sender });
    publish(event: string, payload?: object): boolean;
    readonly waiting: number;
    drained(): Promise<void>;
    close(timeoutMs?: number): Promise<number>;
}

export declare class RealtimeEvents {
    constructor(emitter: Emitter, options?: RealtimeEventsOptions);
    readonly publisher: Publisher;
    close(timeoutMs?: number): Promise<number>;
}
