/* Reads Sec-WebSocket-Extensions and picks the first permessage-deflate offer that we can keep.
 *
 * Grammar: RFC 6455 9.1; parameters: RFC 7692 7.1. We send with a window of 2^15 bytes, one for
 * all clients, since a room's message is compressed once: an offer that asks for a smaller window
 * is passed over for the next one. Each offer stands alone: one with an unknown, repeated or
 * ill-valued parameter is passed over, a header that breaks the grammar is refused whole. */

#include <rt/rt_ws.h>

#include <string.h>
#include <strings.h>


#define RT_WS_ANSWER "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

typedef enum {
    RT_WS_PARAM_SERVER_TAKEOVER = 0x1,
    RT_WS_PARAM_CLIENT_TAKEOVER = 0x2,
    RT_WS_PARAM_SERVER_BITS = 0x4,
    RT_WS_PARAM_CLIENT_BITS = 0x8,
    RT_WS_PARAM_BAD = 0x10
} rt_ws_param_t;

static const struct {
    const char   *name;
    rt_ws_param_t param;
} rt_ws_params[] = {
    {"server_no_context_takeover", RT_WS_PARAM_SERVER_TAKEOVER},
    {"client_no_context_takeover", RT_WS_PARAM_CLIENT_TAKEOVER},
    {"server_max_window_bits", RT_WS_PARAM_SERVER_BITS},
    {"client_max_window_bits", RT_WS_PARAM_CLIENT_BITS},
};

typedef struct {
    const char *pos;
    const char *end;
} rt_ws_scan_t;


static void
rt_ws_skip_space(rt_ws_scan_t *scan)
{
    while (scan->pos < scan->end && (*scan->pos == ' ' || *scan->pos == '\t')) {
        scan->pos++;
    }
}


/* RFC 7230's tchar. */
static int
rt_ws_is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
        || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}


static rt_str_t
rt_ws_scan_token(rt_ws_scan_t *scan)
{
    rt_str_t token;

    token.data = scan->pos;

    while (scan->pos < scan->end && rt_ws_is_token(*scan->pos)) {
        scan->pos++;
    }

    token.len = (size_t) (scan->pos - token.data);

    return token;
}


/* A token, or a token in quotes: what is quoted must be a token too, so that no quoted pair can
 * be of use. Gives an empty text when it is neither. */
static rt_str_t
rt_ws_scan_value(rt_ws_scan_t *scan)
{
    rt_str_t value;

    if (scan->pos < scan->end && *scan->pos == '"') {
        scan->pos++;
        value = rt_ws_scan_token(scan);

        if (scan->pos == scan->end || *scan->pos != '"') {
            return rt_str_null;
        }

        scan->pos++;
        return value;
    }

    return rt_ws_scan_token(scan);
}


/* 8…15 without a leading zero, or 0. */
static int
rt_ws_window_bits(rt_str_t value)
{
    if (value.len == 1 && (value.data[0] == '8' || value.data[0] == '9')) {
        return value.data[0] - '0';
    }

    if (value.len == 2 && value.data[0] == '1' && value.data[1] >= '0' && value.data[1] <= '5') {
        return 10 + value.data[1] - '0';
    }

    return 0;
}


/* value.data is NULL when the parameter had none. */
static rt_ws_param_t
rt_ws_param(rt_str_t name, rt_str_t value)
{
    size_t        i;
    rt_ws_param_t param;

    param = RT_WS_PARAM_BAD;

    for (i = 0; i < sizeof(rt_ws_params) / sizeof(rt_ws_params[0]); i++) {
        if (name.len == strlen(rt_ws_params[i].name)
            && strncasecmp(name.data, rt_ws_params[i].name, name.len) == 0)
        {
            param = rt_ws_params[i].param;
        }
    }

    switch (param) {

    case RT_WS_PARAM_SERVER_TAKEOVER:
    case RT_WS_PARAM_CLIENT_TAKEOVER:
        return value.data == NULL ? param : RT_WS_PARAM_BAD;

    case RT_WS_PARAM_SERVER_BITS:
        return rt_ws_window_bits(value) == 15 ? param : RT_WS_PARAM_BAD;

    case RT_WS_PARAM_CLIENT_BITS:
        return value.data == NULL || rt_ws_window_bits(value) != 0 ? param : RT_WS_PARAM_BAD;

    default:
        return RT_WS_PARAM_BAD;
    }
}


/* Reads the parameters of one extension; *seen gets the rt_ws_param_t of all. */
static rt_status_t
rt_ws_scan_params(rt_ws_scan_t *scan, unsigned *seen)
{
    rt_str_t      name;
    rt_str_t      value;
    rt_ws_param_t param;

    *seen = 0;

    for (;;) {
        rt_ws_skip_space(scan);

        if (scan->pos == scan->end || *scan->pos != ';') {
            return RT_OK;
        }

        scan->pos++;
        rt_ws_skip_space(scan);

        name = rt_ws_scan_token(scan);
        if (name.len == 0) {
            return RT_INVALID;
        }

        value = rt_str_null;
        rt_ws_skip_space(scan);

        if (scan->pos < scan->end && *scan->pos == '=') {
            scan->pos++;
            rt_ws_skip_space(scan);

            value = rt_ws_scan_value(scan);
            if (value.len == 0) {
                return RT_INVALID;
            }
        }

        param = rt_ws_param(name, value);
        *seen |= (*seen & param) != 0 ? RT_WS_PARAM_BAD : param;
    }
}


/* One extension of the list. RT_OK: it is an offer that we keep. */
static rt_status_t
rt_ws_scan_offer(rt_ws_scan_t *scan, rt_str_t *answer)
{
    rt_str_t name;
    unsigned seen;

    name = rt_ws_scan_token(scan);

    if (name.len == 0 || rt_ws_scan_params(scan, &seen) != RT_OK) {
        return RT_INVALID;
    }

    if (!rt_str_eq(name, rt_str("permessage-deflate")) || (seen & RT_WS_PARAM_BAD) != 0) {
        return RT_DECLINED;
    }

    /* A client that asks for a limit must be told the one that it gets (RFC 7692 7.1.2.1). */
    *answer = (seen & RT_WS_PARAM_SERVER_BITS) != 0
        ? rt_str(RT_WS_ANSWER "; server_max_window_bits=15")
        : rt_str(RT_WS_ANSWER);

    return RT_OK;
}


rt_status_t
rt_ws_deflate_negotiate(rt_str_t offer, rt_str_t *answer)
{
    rt_str_t     found;
    rt_str_t     candidate;
    rt_status_t  status;
    rt_ws_scan_t scan;

    found = rt_str_null;
    scan.pos = offer.data;
    scan.end = offer.data + offer.len;

    for (;;) {
        rt_ws_skip_space(&scan);

        /* Lists may have empty elements (RFC 7230 7). */
        if (scan.pos < scan.end && *scan.pos != ',') {
            status = rt_ws_scan_offer(&scan, &candidate);

            if (status == RT_INVALID) {
                return RT_DECLINED;
            }

            if (status == RT_OK && found.data == NULL) {
                found = candidate;
            }
        }

        if (scan.pos == scan.end) {
            break;
        }

        if (*scan.pos != ',') {
            return RT_DECLINED;
        }

        scan.pos++;
    }

    if (found.data == NULL) {
        return RT_DECLINED;
    }

    *answer = found;

    return RT_OK;
}
