/* The counters as Prometheus reads them (text format 0.0.4). */

#include "ngx_realtime_asks.h"
#include "ngx_realtime_http.h"
#include "ngx_realtime_metrics.h"

#include <rt/rt_call.h>


#define ngx_realtime_metrics_put(out, literal) rt_buf_append((out), (literal), sizeof(literal) - 1)

static void ngx_realtime_metrics_head(rt_buf_t *out, const char *name, const char *type,
    const char *help);
static void ngx_realtime_metrics_line(rt_buf_t *out, const char *name, const char *labels,
    uint64_t value);
static void ngx_realtime_metrics_one(rt_buf_t *out, const char *name, const char *type,
    const char *help, uint64_t value);
static void ngx_realtime_metrics_clients(rt_buf_t *out, const ngx_realtime_metrics_t *m);
static void ngx_realtime_metrics_events(rt_buf_t *out, const ngx_realtime_metrics_t *m);
static void ngx_realtime_metrics_stream(rt_buf_t *out, const ngx_realtime_metrics_t *m);
static void ngx_realtime_metrics_bus(rt_buf_t *out, const ngx_realtime_metrics_t *m);
static void ngx_realtime_metrics_adapter(rt_buf_t *out, const ngx_realtime_metrics_t *m);
static void ngx_realtime_metrics_store(rt_buf_t *out, const ngx_realtime_metrics_t *m);
static void ngx_realtime_metrics_histogram(rt_buf_t *out, const char *name, const char *labels,
    const ngx_realtime_histogram_t *histogram);
static void ngx_realtime_metrics_seconds(rt_buf_t *out, uint64_t us);

static const char *const ngx_realtime_metrics_transports[] = {NULL, "transport=\"websocket\"",
    "transport=\"polling\"", "transport=\"plain\""};
static const char *const ngx_realtime_metrics_reasons[] = {"reason=\"hole\"", "reason=\"gap\"",
    "reason=\"join\"", "reason=\"doubt\""};


ngx_int_t
ngx_realtime_metrics_handler(ngx_http_request_t *r)
{
    rt_buf_t               out;
    ngx_int_t              rc;
    ngx_str_t              body;
    ngx_uint_t             workers;
    ngx_realtime_metrics_t sum;

    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_realtime_worker == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    workers = ngx_realtime_metrics_sum(&sum);

    ngx_memzero(&out, sizeof(rt_buf_t));
    rt_buf_reserve(&out, 16384);

    ngx_realtime_metrics_one(&out, "realtime_workers", "gauge", "Workers of this host that run.",
        workers);
    ngx_realtime_metrics_clients(&out, &sum);
    ngx_realtime_metrics_events(&out, &sum);
    ngx_realtime_metrics_stream(&out, &sum);
    ngx_realtime_metrics_bus(&out, &sum);
    ngx_realtime_metrics_adapter(&out, &sum);
    ngx_realtime_metrics_store(&out, &sum);

    rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (!out.failed) {
        body.data = (u_char *) out.data;
        body.len = out.len;
        rc = ngx_realtime_http_send(r, NGX_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
            &body);
    }

    rt_buf_free(&out);

    return rc;
}


static void
ngx_realtime_metrics_head(rt_buf_t *out, const char *name, const char *type, const char *help)
{
    ngx_realtime_metrics_put(out, "# HELP ");
    rt_buf_append_str(out, rt_str_c(name));
    ngx_realtime_metrics_put(out, " ");
    rt_buf_append_str(out, rt_str_c(help));
    ngx_realtime_metrics_put(out, "\n# TYPE ");
    rt_buf_append_str(out, rt_str_c(name));
    ngx_realtime_metrics_put(out, " ");
    rt_buf_append_str(out, rt_str_c(type));
    ngx_realtime_metrics_put(out, "\n");
}


/* labels: as they stand between the braces, or NULL. */
static void
ngx_realtime_metrics_line(rt_buf_t *out, const char *name, const char *labels, uint64_t value)
{
    rt_buf_append_str(out, rt_str_c(name));

    if (labels != NULL) {
        ngx_realtime_metrics_put(out, "{");
        rt_buf_append_str(out, rt_str_c(labels));
        ngx_realtime_metrics_put(out, "}");
    }

    ngx_realtime_metrics_put(out, " ");
    rt_buf_append_int(out, (int64_t) value);
    ngx_realtime_metrics_put(out, "\n");
}


static void
ngx_realtime_metrics_one(rt_buf_t *out, const char *name, const char *type, const char *help,
    uint64_t value)
{
    ngx_realtime_metrics_head(out, name, type, help);
    ngx_realtime_metrics_line(out, name, NULL, value);
}


static void
ngx_realtime_metrics_clients(rt_buf_t *out, const ngx_realtime_metrics_t *m)
{
    ngx_uint_t i;

    ngx_realtime_metrics_head(out, "realtime_connections", "gauge", "Clients of this host.");

    for (i = 1; i < NGX_REALTIME_TRANSPORTS; i++) {
        ngx_realtime_metrics_line(out, "realtime_connections", ngx_realtime_metrics_transports[i],
            m->gauges.connections[i]);
    }

    ngx_realtime_metrics_one(out, "realtime_connected", "gauge",
        "Clients that have shown a good token.", m->gauges.connected);

    ngx_realtime_metrics_head(out, "realtime_connections_opened_total", "counter",
        "Clients that came, by their transport; an upgrade counts again.");

    for (i = 1; i < NGX_REALTIME_TRANSPORTS; i++) {
        ngx_realtime_metrics_line(out, "realtime_connections_opened_total",
            ngx_realtime_metrics_transports[i], m->counts.opened[i]);
    }

    ngx_realtime_metrics_one(out, "realtime_deliveries_total", "counter",
        "Events queued for clients.", m->counts.deliveries);
    ngx_realtime_metrics_one(out, "realtime_slow_clients_total", "counter",
        "Clients dropped because too much waited for them.", m->counts.slow_clients);
    ngx_realtime_metrics_one(out, "realtime_session_moves_total", "counter",
        "Sessions that came from another worker with their upgrade.", m->counts.moves);
    ngx_realtime_metrics_one(out, "realtime_relayed_requests_total", "counter",
        "Polling requests carried to another worker.", m->counts.relays);
}


static void
ngx_realtime_metrics_events(rt_buf_t *out, const ngx_realtime_metrics_t *m)
{
    u_char      labels[128];
    ngx_uint_t  i, j;
    const char *name;

    static const char *const results[NGX_REALTIME_METRICS_RESULTS] = {"ok", "INVALID",
        "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "TOO_LARGE", "RATE_LIMITED",
        "UNAVAILABLE"};

    ngx_realtime_metrics_head(out, "realtime_events_total", "counter",
        "Events of clients, by name and result.");

    for (i = 0; i < NGX_REALTIME_METRICS_EVENTS; i++) {
        name = i == NGX_REALTIME_METRICS_EVENTS - 1 ? "other" : ngx_realtime_event_name(i);

        for (j = 0; name != NULL && j < NGX_REALTIME_METRICS_RESULTS; j++) {
            if (m->counts.events[i][j] != 0 || j == 0) {
                *ngx_snprintf(labels, sizeof(labels) - 1, "event=\"%s\",result=\"%s\"", name,
                    results[j]) = '\0';
                ngx_realtime_metrics_line(out, "realtime_events_total", (char *) labels,
                    m->counts.events[i][j]);
            }
        }
    }

    ngx_realtime_metrics_head(out, "realtime_requests_total", "counter",
        "REST requests, by their answer's status.");

    for (i = 2; i < 6; i++) {
        *ngx_sprintf(labels, "status=\"%uixx\"", i) = '\0';
        ngx_realtime_metrics_line(out, "realtime_requests_total", (char *) labels,
            m->counts.requests[i]);
    }
}


static void
ngx_realtime_metrics_stream(rt_buf_t *out, const ngx_realtime_metrics_t *m)
{
    static const char name[] = "realtime_stream_events_total";

    ngx_realtime_metrics_head(out, name, "counter",
        "Entries of the stream of events: stored, repeated ones, refused, put off.");
    ngx_realtime_metrics_line(out, name, "result=\"stored\"", m->counts.stream_stored);
    ngx_realtime_metrics_line(out, name, "result=\"repeated\"", m->counts.stream_repeated);
    ngx_realtime_metrics_line(out, name, "result=\"refused\"", m->counts.stream_refused);
    ngx_realtime_metrics_line(out, name, "result=\"again\"", m->counts.stream_again);

    ngx_realtime_metrics_one(out, "realtime_webhooks_dropped_total", "counter",
        "Deliveries to webhooks that were not queued: too many waited, or the store failed.",
        m->counts.webhooks_dropped);
}


static void
ngx_realtime_metrics_bus(rt_buf_t *out, const ngx_realtime_metrics_t *m)
{
    ngx_uint_t i;

    ngx_realtime_metrics_one(out, "realtime_bus_up", "gauge",
        "Workers of this host that hear the other hosts.", m->gauges.bus_up);
    ngx_realtime_metrics_one(out, "realtime_bus_published_total", "counter",
        "Events published for other workers.", m->counts.published);
    ngx_realtime_metrics_one(out, "realtime_bus_received_total", "counter",
        "Events that other workers published.", m->counts.received);
    ngx_realtime_metrics_one(out, "realtime_bus_gaps_total", "counter",
        "Times that the bus may have lost something.", m->counts.gaps);
    ngx_realtime_metrics_one(out, "realtime_redis_connects_total", "counter",
        "Connections made to Redis.", m->counts.redis_connects);
    ngx_realtime_metrics_one(out, "realtime_redis_queued_bytes", "gauge",
        "Bytes that wait to be sent to Redis.", m->gauges.redis_queued);

    ngx_realtime_metrics_head(out, "realtime_redis_seconds", "histogram",
        "How long Redis takes to answer a PING.");
    ngx_realtime_metrics_histogram(out, "realtime_redis_seconds", "", &m->counts.redis);

    ngx_realtime_metrics_head(out, "realtime_heal_reads_total", "counter",
        "Rooms read from the store because messages may be missing.");

    for (i = 0; i < NGX_REALTIME_HEAL_REASONS; i++) {
        ngx_realtime_metrics_line(out, "realtime_heal_reads_total", ngx_realtime_metrics_reasons[i],
            m->counts.heal_reads[i]);
    }

    ngx_realtime_metrics_one(out, "realtime_healed_messages_total", "counter",
        "Messages delivered from the store that the bus did not bring.", m->counts.healed);
    ngx_realtime_metrics_one(out, "realtime_rooms_in_doubt", "gauge",
        "Rooms of which the store has yet to say what it holds.", m->gauges.doubts);
}


static void
ngx_realtime_metrics_adapter(rt_buf_t *out, const ngx_realtime_metrics_t *m)
{
    ngx_realtime_metrics_one(out, "realtime_adapter_up", "gauge",
        "Workers of this host that hear and tell Node servers.", m->gauges.adapter_up);
    ngx_realtime_metrics_one(out, "realtime_adapter_published_total", "counter",
        "Events and answers published for Node servers.", m->counts.adapter_published);
    ngx_realtime_metrics_one(out, "realtime_adapter_received_total", "counter",
        "Events of Node servers, for rooms that clients are in.", m->counts.adapter_received);
    ngx_realtime_metrics_one(out, "realtime_adapter_requests_total", "counter",
        "Requests of Node servers.", m->counts.adapter_requests);
    ngx_realtime_metrics_one(out, "realtime_adapter_refused_total", "counter",
        "What came from there and could not be understood.", m->counts.adapter_refused);
}


static void
ngx_realtime_metrics_store(rt_buf_t *out, const ngx_realtime_metrics_t *m)
{
    ngx_realtime_metrics_one(out, "realtime_store_up", "gauge",
        "Workers of this host whose store answers.", m->gauges.store_up);
    ngx_realtime_metrics_one(out, "realtime_calls_waiting", "gauge",
        "Calls that are at the store or wait for it.", m->gauges.tasks);
    ngx_realtime_metrics_one(out, "realtime_calls_refused_total", "counter",
        "Calls refused because too many waited.", m->counts.busy);
    ngx_realtime_metrics_one(out, "realtime_store_written_total", "counter",
        "Calls that were committed in groups.", m->counts.store_written);

    ngx_realtime_metrics_head(out, "realtime_store_seconds", "histogram",
        "How long the store takes: for a read, and for a group of writes.");
    ngx_realtime_metrics_histogram(out, "realtime_store_seconds", "kind=\"read\",",
        &m->counts.store_read);
    ngx_realtime_metrics_histogram(out, "realtime_store_seconds", "kind=\"write\",",
        &m->counts.store_write);
}


/* labels: with a comma behind them, or empty. */
static void
ngx_realtime_metrics_histogram(rt_buf_t *out, const char *name, const char *labels,
    const ngx_realtime_histogram_t *histogram)
{
    uint64_t   total;
    ngx_uint_t i;

    total = 0;

    for (i = 0; i <= NGX_REALTIME_METRICS_BUCKETS; i++) {
        total += histogram->count[i];

        rt_buf_append_str(out, rt_str_c(name));
        ngx_realtime_metrics_put(out, "_bucket{");
        rt_buf_append_str(out, rt_str_c(labels));
        ngx_realtime_metrics_put(out, "le=\"");

        if (i < NGX_REALTIME_METRICS_BUCKETS) {
            ngx_realtime_metrics_seconds(out, ngx_realtime_metrics_buckets_us[i]);
        } else {
            ngx_realtime_metrics_put(out, "+Inf");
        }

        ngx_realtime_metrics_put(out, "\"} ");
        rt_buf_append_int(out, (int64_t) total);
        ngx_realtime_metrics_put(out, "\n");
    }

    for (i = 0; i < 2; i++) {
        rt_buf_append_str(out, rt_str_c(name));
        rt_buf_append_str(out, i == 0 ? rt_str("_sum") : rt_str("_count"));

        if (labels[0] != '\0') {
            ngx_realtime_metrics_put(out, "{");
            rt_buf_append(out, labels, ngx_strlen(labels) - 1);
            ngx_realtime_metrics_put(out, "}");
        }

        ngx_realtime_metrics_put(out, " ");

        if (i == 0) {
            ngx_realtime_metrics_seconds(out, histogram->sum_us);
        } else {
            rt_buf_append_int(out, (int64_t) total);
        }

        ngx_realtime_metrics_put(out, "\n");
    }
}


static void
ngx_realtime_metrics_seconds(rt_buf_t *out, uint64_t us)
{
    u_char text[2 * NGX_INT64_LEN], *end;

    end = ngx_sprintf(text, "%uL.%06uL", us / 1000000, us % 1000000);

    while (end[-1] == '0') {
        end--;
    }

    if (end[-1] == '.') {
        end--;
    }

    rt_buf_append(out, text, end - text);
}
