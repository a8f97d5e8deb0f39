/* Private to core/token: what a verification key is made of. */

#ifndef RT_KEY_H
#define RT_KEY_H

#include <jwt.h>
#include <rt/rt_token.h>


#define RT_KEY_ALG(alg) (1u << (alg))

struct rt_key_s {
    unsigned      algs;   /* RT_KEY_ALG() of those that a token for this key may name */
    int           bytes;  /* > 0: with an empty key libjwt takes tokens with no signature */
    unsigned char data[]; /* the secret, or a PEM text */
};

#endif
