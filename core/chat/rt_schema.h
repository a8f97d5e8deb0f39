/* What a request may hold, as a table; reading it into a struct by that table. */

#ifndef RT_SCHEMA_H
#define RT_SCHEMA_H

#include <jansson.h>
#include <rt/rt_base.h>


typedef enum {
    RT_FIELD_STRING,  /* rt_str_t: borrowed from the request; NULL when absent */
    RT_FIELD_INTEGER, /* int64_t: untouched when absent */
    RT_FIELD_NUMBER,  /* double, whole or not: untouched when absent */
    RT_FIELD_BOOLEAN, /* int: untouched when absent */
    RT_FIELD_NAME,    /* int: the index in `names`; untouched when absent */
    RT_FIELD_STRINGS, /* json_t *: an array of strings, borrowed; NULL when absent */
    RT_FIELD_OBJECT   /* json_t *: an object, borrowed; NULL when absent */
} rt_field_type_t;

#define RT_FIELD_REQUIRED  1
#define RT_FIELD_PRINTABLE 2 /* no control characters */
#define RT_FIELD_CONTENT   4 /* something that shows, not only white space */

/* JSON null counts as absent. */
typedef struct {
    const char        *name; /* NULL ends the table */
    rt_field_type_t    type;
    unsigned           flags;    /* RT_FIELD_* */
    size_t             offset;   /* of the member in `out` */
    int64_t            min;      /* STRING: code points; INTEGER, NUMBER: value */
    int64_t            max;      /* the same; STRINGS: elements; OBJECT: bytes as compact JSON */
    int64_t            item_max; /* STRINGS: code points of each, at least 1 */
    const char *const *names;    /* NAME: NULL terminated */
} rt_field_t;

/* Ids of people and businesses. */
#define RT_ID_CHARACTERS_MAX   128
#define RT_NAME_CHARACTERS_MAX 256

/* Checks the request against the table and fills `out`, whose members hold their defaults. Members
 * that the table does not name are ignored, but for operators: a key that begins with '$', at any
 * depth of what is looked at, is refused.
 *
 * returns  RT_OK, or RT_INVALID with a text for people that says which field and why
 * threads  any; pure */
rt_status_t rt_schema_read(const rt_field_t *fields, const json_t *request, void *out,
    rt_error_t *error);

/* 1: it may be somebody's id: 1…128 printable characters. s is valid UTF-8. */
int rt_schema_is_id(rt_str_t s);

/* 1: some key, at any depth, begins with '$', as MongoDB's operators do. */
int rt_schema_has_operator(const json_t *value);

#endif
