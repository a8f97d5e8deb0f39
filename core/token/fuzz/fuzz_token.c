/* Fuzzing of tokens: the input as a token against each kind of key, and the input as header and
 * payload (a line each) under a good signature, so that the claims are reached. */

#include <openssl/err.h>
#include <rt/rt_json.h>
#include <token/rt_token_sign.h>


#define RT_FUZZ_NOW 1700000000000


int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const char rt_fuzz_rsa[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA4ZLrLyOc2FPquicly2Fx\n"
    "pKeczBcU10v4AeUfCxthW9anshWe/1ypN1ntMiajqoPedu7u1Yk5/GZqCyOcLRhk\n"
    "Jhxp2SHw6js956gagOcuFmwyWyngzcpKH5RYeolUOhgeJTTXhWt3mnF4pSy4kPEP\n"
    "QrUfOX3o6h+uiLfCWFe5Rwg6z6WkV7ydXGKUk+xqXcYE/Gv2CmyTlJd+Tp4W/9Mm\n"
    "YlGhEzRW6kLdaRqUzaw087wrhumWfDK7F0oUJXuMEk9PHt5w60zmHyq17H/t77EB\n"
    "9L/CIfZdLWRIpxxo3Sj3yz4wlYuAQbGLK7K3tN1/EOwJGJU5btzVnAaX/e+NDe5A\n"
    "rQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

static const char rt_fuzz_ec[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4qALUNV81oVOovGnlkF2XShWPvZX\n"
    "bnsIhC51JnF5ZW+QxhjstbHoXWLnqO9XZZDzmjfo+C8HDAuqO0/8QSwc2A==\n"
    "-----END PUBLIC KEY-----\n";


static rt_key_t *rt_fuzz_keys[3];


static void
rt_fuzz_check(int fact)
{
    if (!fact) {
        abort();
    }
}


static void
rt_fuzz_check_text(rt_str_t text, size_t least, size_t most)
{
    rt_fuzz_check(rt_utf8_valid(text) && text.data[text.len] == '\0');
    rt_fuzz_check(rt_utf8_length(text) >= least && rt_utf8_length(text) <= most);
}


static rt_status_t
rt_fuzz_verify(const rt_key_t *key, rt_str_t token)
{
    rt_error_t     error;
    rt_status_t    status;
    rt_identity_t *identity;

    identity = NULL;
    status = rt_token_verify(key, token, RT_FUZZ_NOW, 1000, &identity, &error);
    rt_fuzz_check(ERR_peek_error() == 0);

    if (status != RT_OK) {
        rt_fuzz_check(status == RT_UNAUTHORIZED && identity == NULL);
        rt_fuzz_check(error.status == status && error.text[0] != '\0');
        return status;
    }

    rt_fuzz_check_text(identity->user_id, 1, 128);
    rt_fuzz_check_text(identity->business_id, 0, 128);
    rt_fuzz_check_text(identity->role_name, 1, 64);
    rt_fuzz_check_text(identity->name, 0, 256);
    rt_fuzz_check_text(identity->email, 0, 256);
    rt_fuzz_check(identity->expires_at_ms > RT_FUZZ_NOW);
    rt_fuzz_check(strpbrk(identity->user_id.data, "\n\r\t\x1b") == NULL);
    rt_identity_put(identity);

    return RT_OK;
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;

    rt_json_init();

    rt_fuzz_check(rt_key_create_secret(&rt_fuzz_keys[0], rt_str("secret"), NULL) == RT_OK);
    rt_fuzz_check(rt_key_create_pem(&rt_fuzz_keys[1], rt_str_c(rt_fuzz_rsa), NULL) == RT_OK);
    rt_fuzz_check(rt_key_create_pem(&rt_fuzz_keys[2], rt_str_c(rt_fuzz_ec), NULL) == RT_OK);

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          i;
    rt_key_t       *key;
    const char     *line;
    rt_str_t        text, header, payload;
    rt_sign_token_t token;

    static const char *const secrets[] = {"secret", rt_fuzz_rsa, rt_fuzz_ec};

    text = (rt_str_t){(const char *) data, size};

    for (i = 0; i < 3; i++) {
        (void) rt_fuzz_verify(rt_fuzz_keys[i], text);
    }

    if (size > 11 && memcmp(data, "-----BEGIN ", 11) == 0
        && rt_key_create_pem(&key, text, NULL) == RT_OK)
    {
        rt_key_destroy(key);
    }

    line = (size == 0) ? NULL : memchr(text.data, '\n', size);

    if (line == NULL || size > RT_TOKEN_MAX) {
        return 0;
    }

    header = (rt_str_t){text.data, (size_t) (line - text.data)};
    payload = (rt_str_t){line + 1, size - header.len - 1};

    /* who has only a public key can sign for nobody */
    for (i = 0; i < 3; i++) {
        rt_sign_hmac(&token, header, payload, EVP_sha256(), rt_str_c(secrets[i]));

        if (rt_fuzz_verify(rt_fuzz_keys[i], (rt_str_t){token.data, token.len}) == RT_OK) {
            rt_fuzz_check(i == 0);
        }
    }

    return 0;
}
