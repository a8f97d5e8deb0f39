/* TLS to Redis, by nginx's own SSL: so hiredis needs none (0.14 has none). */

#include "ngx_realtime_redis_private.h"


#if (NGX_SSL)

struct ngx_realtime_redis_tls_s {
    ngx_ssl_t  ssl;
    ngx_uint_t verify;
};

static void       ngx_realtime_redis_tls_done(ngx_connection_t *c);
static ngx_int_t  ngx_realtime_redis_tls_is_for(ngx_connection_t *c, ngx_str_t *host);
static ngx_uint_t ngx_realtime_redis_tls_is_address(ngx_str_t *host);


ngx_int_t
ngx_realtime_redis_tls_configure(ngx_conf_t *cf, ngx_realtime_redis_conf_t *conf, ngx_str_t *ca,
    ngx_uint_t verify)
{
    ngx_pool_cleanup_t              *cleanup;
    struct ngx_realtime_redis_tls_s *tls;

    tls = ngx_pcalloc(cf->pool, sizeof(struct ngx_realtime_redis_tls_s));
    cleanup = ngx_pool_cleanup_add(cf->pool, 0);

    if (tls == NULL || cleanup == NULL) {
        return NGX_ERROR;
    }

    tls->ssl.log = cf->log;
    tls->verify = verify;

    if (ngx_ssl_create(&tls->ssl, NGX_SSL_TLSv1_2 | NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cleanup->handler = ngx_ssl_cleanup_ctx;
    cleanup->data = &tls->ssl;

    if (ca->len) {
        if (ngx_ssl_trusted_certificate(cf, &tls->ssl, ca, 4) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (verify && SSL_CTX_set_default_verify_paths(tls->ssl.ctx) == 0) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0, "SSL_CTX_set_default_verify_paths() failed");
        return NGX_ERROR;
    }

    conf->tls = tls;

    return NGX_OK;
}


static ngx_uint_t
ngx_realtime_redis_tls_is_address(ngx_str_t *host)
{
    u_char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, (char *) host->data, address) == 1
        || inet_pton(AF_INET6, (char *) host->data, address) == 1;
}


void
ngx_realtime_redis_tls_open(ngx_realtime_redis_t *redis)
{
    ngx_int_t         rc;
    ngx_str_t         host;
    ngx_connection_t *c;

    c = redis->connection;
    host = redis->conf->host;

    if (ngx_ssl_create_connection(&redis->conf->tls->ssl, c, NGX_SSL_BUFFER | NGX_SSL_CLIENT)
        != NGX_OK) {
        ngx_realtime_redis_fail(redis, "no TLS connection could be made");
        return;
    }

    /* RFC 6066, 3: no addresses */

    if (!ngx_realtime_redis_tls_is_address(&host)
        && SSL_set_tlsext_host_name(c->ssl->connection, (char *) host.data) == 0)
    {
        ngx_realtime_redis_fail(redis, "its name can't be sent in the TLS handshake");
        return;
    }

    c->ssl->handler = ngx_realtime_redis_tls_done;

    rc = ngx_ssl_handshake(c);

    if (rc != NGX_AGAIN) {
        ngx_realtime_redis_tls_done(c);
    }
}


static void
ngx_realtime_redis_tls_done(ngx_connection_t *c)
{
    long                  rc;
    ngx_str_t             host;
    ngx_realtime_redis_t *redis = c->data;

    if (!c->ssl->handshaked) {
        ngx_realtime_redis_fail(redis, "the TLS handshake failed");
        return;
    }

    if (redis->conf->tls->verify) {
        rc = SSL_get_verify_result(c->ssl->connection);

        if (rc != X509_V_OK) {
            ngx_realtime_redis_fail(redis, X509_verify_cert_error_string(rc));
            return;
        }

        host = redis->conf->host;

        if (ngx_realtime_redis_tls_is_for(c, &host) != NGX_OK) {
            ngx_realtime_redis_fail(redis, "its certificate is for another name");
            return;
        }
    }

    ngx_realtime_redis_greet(redis);
}


static ngx_int_t
ngx_realtime_redis_tls_is_for(ngx_connection_t *c, ngx_str_t *host)
{
    int   rc;
    X509 *certificate;

    if (!ngx_realtime_redis_tls_is_address(host)) {
        return ngx_ssl_check_host(c, host);
    }

    certificate = SSL_get_peer_certificate(c->ssl->connection);
    if (certificate == NULL) {
        return NGX_ERROR;
    }

    rc = X509_check_ip_asc(certificate, (char *) host->data, 0);
    X509_free(certificate);

    return rc == 1 ? NGX_OK : NGX_ERROR;
}


void
ngx_realtime_redis_tls_close(ngx_connection_t *c)
{
    if (c->ssl != NULL) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
        (void) ngx_ssl_shutdown(c);
    }
}

#else

ngx_int_t
ngx_realtime_redis_tls_configure(ngx_conf_t *cf, ngx_realtime_redis_conf_t *conf, ngx_str_t *ca,
    ngx_uint_t verify)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
        "\"tls\" needs an nginx that was built with TLS (--with-http_ssl_module)");

    return NGX_ERROR;
}


void
ngx_realtime_redis_tls_open(ngx_realtime_redis_t *redis)
{
    ngx_realtime_redis_fail(redis, "this nginx has no TLS");
}


void
ngx_realtime_redis_tls_close(ngx_connection_t *c)
{
}

#endif
