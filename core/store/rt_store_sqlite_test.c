/* The SQLite store: the suite of all stores, and what only a file can suffer. */

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/rt_store_suite.h"

static int suite_audit_logs(void);

#include "store/rt_store_assist_suite.h"
#include "store/rt_store_notify_suite.h"
#include "store/rt_store_webhook_suite.h"


static char     dir[64];
static char     uri[96];
static unsigned log_lines;


static void
on_log(void *data, rt_log_level_t level, const char *text)
{
    (void) data;
    (void) level;
    (void) text;

    log_lines++;
}


static const rt_log_t test_log = {on_log, NULL, RT_LOG_INFO};


static rt_store_t *
suite_open(void)
{
    rt_error_t  error;
    rt_store_t *store;

    if (rt_store_open(&store, rt_str_c(uri), &test_log, &error) != RT_OK) {
        fail_msg("%s", error.text);
    }

    return store;
}


static int
make_dir(void **state)
{
    (void) state;

    alarm(60);
    rt_json_init();
    log_lines = 0;
    strcpy(dir, "/tmp/rt-store-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(uri, sizeof(uri), "sqlite:%s/chat.db", dir);

    return 0;
}


static int
remove_dir(void **state)
{
    size_t             i;
    char               path[128];
    static const char *names[] = {"chat.db", "chat.db-wal", "chat.db-shm"};

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }

    return rmdir(dir);
}


static int
setup(void **state)
{
    return make_dir(state) || suite_setup(state);
}


static int
teardown(void **state)
{
    return suite_teardown(state) || remove_dir(state);
}


static void
run_sql(const char *sql)
{
    char     path[96];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/chat.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}


static int
suite_audit_logs(void)
{
    int           count;
    char          path[96];
    sqlite3      *db;
    sqlite3_stmt *statement;

    snprintf(path, sizeof(path), "%s/chat.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM auditlogs", -1, &statement, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);

    return count;
}


static void
test_check(void **state)
{
    rt_error_t error;

    (void) state;

    assert_int_equal(rt_store_check(rt_str("sqlite:/x/y.db"), &error), RT_OK);
    assert_int_equal(rt_store_check(rt_str("sqlite:"), &error), RT_INVALID);
    assert_int_equal(rt_store_check(rt_str("sqlite::memory:"), &error), RT_INVALID);
    assert_int_equal(rt_store_check(rt_str("postgres://u:secret@h/"), &error), RT_INVALID);
    assert_null(strstr(error.text, "secret"));
}


static void
test_open_fails(void **state)
{
    char        path[128];
    FILE       *file;
    rt_error_t  error;
    rt_store_t *store;

    (void) state;

    snprintf(path, sizeof(path), "sqlite:%s/no/such/chat.db", dir);
    assert_int_equal(rt_store_open(&store, rt_str_c(path), &test_log, &error), RT_UNAVAILABLE);
    assert_non_null(strstr(error.text, "can't open"));
    assert_non_null(strstr(error.text, "No such file"));

    /* something else under that name */
    snprintf(path, sizeof(path), "%s/chat.db", dir);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("These are a deployer's notes and not at all a database, in more than a header.\n", file);
    fclose(file);
    assert_int_equal(rt_store_open(&store, rt_str_c(uri), &test_log, &error), RT_UNAVAILABLE);
    assert_non_null(strstr(error.text, "not a database"));
}


static void
test_private_file(void **state)
{
    char        path[96];
    struct stat info;

    (void) state;

    snprintf(path, sizeof(path), "%s/chat.db", dir);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}


static void
test_newer_schema(void **state)
{
    rt_error_t  error;
    rt_store_t *store;

    (void) state;

    run_sql("PRAGMA user_version = 1000");
    assert_int_equal(rt_store_open(&store, rt_str_c(uri), &test_log, &error), RT_UNAVAILABLE);
    assert_non_null(strstr(error.text, "newer"));
}


/* A file as schema 1 left it, with unread messages in both kinds of rooms. */
static void
test_older_schema(void **state)
{
    rt_room_t         *support, *team;
    rt_message_reads_t reads;

    (void) state;

    support = suite_room_added("b1", "u1");
    team = suite_room(RT_ROOM_TEAM_CHAT, "b1", "p", "q");
    assert_int_equal(suite_try(team), RT_OK);
    suite_add(support->id, RT_SENDER_CUSTOMER, "u1", 3);
    suite_add(team->id, RT_SENDER_STAFF, "p", 2);
    rt_store_close(suite_store);

    run_sql("DROP INDEX messages_unread;"
            "UPDATE messages SET is_read = 0 WHERE is_read = 2;"
            "CREATE INDEX messages_unread ON messages (room, seq, sender_type) WHERE is_read = 0;"
            "ALTER TABLE rooms DROP COLUMN read_customer;"
            "ALTER TABLE rooms DROP COLUMN read_others;"
            "DROP INDEX rooms_due;"
            "ALTER TABLE rooms DROP COLUMN due_at;"
            "ALTER TABLE rooms DROP COLUMN welcomed;"
            "ALTER TABLE rooms DROP COLUMN asked_seq;"
            "ALTER TABLE rooms DROP COLUMN done_seq;"
            "ALTER TABLE rooms DROP COLUMN told_seq;"
            "ALTER TABLE rooms DROP COLUMN staff_seq;"
            "ALTER TABLE rooms DROP COLUMN staff_at;"
            "ALTER TABLE rooms DROP COLUMN customer_at;"
            "ALTER TABLE rooms DROP COLUMN offline_seq;"
            "ALTER TABLE rooms DROP COLUMN acknowledge_seq;"
            "ALTER TABLE rooms DROP COLUMN called_seq;"
            "ALTER TABLE rooms DROP COLUMN feedback_seq;"
            "ALTER TABLE rooms DROP COLUMN feedback_id;"
            "ALTER TABLE rooms DROP COLUMN feedback_faq;"
            "DROP TABLE faqs; DROP TABLE autoresponses; DROP TABLE assist_versions;"
            "DROP TABLE faqfeedbacks; DROP TABLE unansweredquestions;"
            "DROP TABLE webhooks; DROP TABLE webhookdeliveries;"
            "DROP TABLE notify_streams; DROP TABLE notifications; DROP TABLE auditlogs;"
            "PRAGMA user_version = 1");

    suite_store = suite_open();
    team = suite_room_get(team->id);
    support = suite_room_get(support->id);
    suite_add(support->id, RT_SENDER_CUSTOMER, "u1", 1);
    support = suite_room_get(support->id);

    suite_reads(&reads, team, RT_READS_OTHERS, "q", NULL, 0);
    assert_int_equal(reads.newly_count, 2);
    suite_reads(&reads, support, RT_READS_CUSTOMER, "q", NULL, 0);
    assert_int_equal(reads.newly_count, 4);
    assert_int_equal(support->unread_count, 0);
    assert_int_equal(support->assist.welcomed, 1);
}


/* Many processes meet an empty directory at the same moment. */
static void
test_open_together(void **state)
{
    int         i, status, ready[2];
    char        byte;
    pid_t       pids[6];
    rt_error_t  error;
    rt_store_t *store;

    (void) state;

    assert_int_equal(pipe(ready), 0);

    for (i = 0; i < 6; i++) {
        pids[i] = fork();

        if (pids[i] == 0) {
            alarm(30);
            close(ready[1]);
            (void) !read(ready[0], &byte, 1);
            status = rt_store_open(&store, rt_str_c(uri), &test_log, &error) == RT_OK ? 0 : 1;
            if (status) {
                fprintf(stderr, "%s\n", error.text);
            } else {
                rt_store_close(store);
            }
            _exit(status);
        }
    }

    close(ready[1]);
    close(ready[0]);

    for (i = 0; i < 6; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
}


/* Writes as fast as it can and says the seq of what is durable. */
static void
writer(int out)
{
    int64_t             seq;
    rt_room_t          *room, like;
    rt_store_t         *store;
    rt_message_t        message, *list[1] = {&message};
    rt_store_session_t *session;

    suite_arena = rt_arena_create(0);
    store = suite_open();
    memset(&like, 0, sizeof(like));
    like.business_id = rt_str("b1");
    like.user_id = rt_str("u1");

    for (;;) {
        if (store->ops->begin(store, RT_STORE_WRITE, &session) != RT_OK
            || store->ops->room_find_open(session, suite_arena, &like, &room) != RT_OK)
        {
            _exit(1);
        }

        suite_message(&message, room, RT_SENDER_CUSTOMER, "u1", "hello");

        if (store->ops->messages_add(session, list, 1) != RT_OK
            || store->ops->end(session, 1) != RT_OK) {
            _exit(2);
        }

        seq = message.seq;
        if (write(out, &seq, sizeof(seq)) != sizeof(seq)) {
            _exit(3);
        }
    }
}


/* Two writers, killed in the middle: what they said is durable is there, without holes. */
static void
test_killed(void **state)
{
    int        round, fds[2], status;
    int64_t    seq, acked;
    pid_t      pids[2];
    rt_room_t *room;

    (void) state;

    acked = 0;
    room = suite_room_added("b1", "u1");

    for (round = 0; round < 3; round++) {
        rt_store_close(suite_store);
        assert_int_equal(pipe(fds), 0);

        pids[0] = fork();
        if (pids[0] == 0) {
            writer(fds[1]);
        }

        pids[1] = fork();
        if (pids[1] == 0) {
            writer(fds[1]);
        }

        close(fds[1]);
        usleep(150000);
        kill(pids[0], SIGKILL);
        usleep(50000);
        kill(pids[1], SIGKILL);

        while (read(fds[0], &seq, sizeof(seq)) == (ssize_t) sizeof(seq)) {
            acked = seq > acked ? seq : acked;
        }

        close(fds[0]);
        waitpid(pids[0], &status, 0);
        assert_true(WIFSIGNALED(status));
        waitpid(pids[1], &status, 0);
        assert_true(WIFSIGNALED(status));

        suite_store = suite_open();
    }

    room = suite_room_get(room->id);
    assert_true(acked > 0);
    assert_true(room->seq >= acked);
    assert_int_equal(room->unread_count, room->seq);
    suite_list_is(room, RT_MESSAGES_AFTER, room->seq - 100 > 0 ? room->seq - 100 : 0, 200,
        room->seq - 100 > 0 ? room->seq - 99 : 1, (size_t) (room->seq > 100 ? 100 : room->seq));
}


/* A store in trouble says so once, fails calls, and works again by itself. */
static void
test_trouble(void **state)
{
    rt_room_t          *room;
    rt_store_session_t *session;

    (void) state;

    room = suite_room_added("b1", "u1");
    run_sql("ALTER TABLE messages RENAME TO away");

    session = suite_begin(RT_STORE_READ);
    assert_int_not_equal(suite_store->ops->messages_list(session, suite_arena, room,
                             RT_MESSAGES_PAGE, 0, 1, &(rt_message_list_t){NULL, 0}),
        RT_OK);
    assert_int_not_equal(suite_store->ops->end(session, 1), RT_OK);
    assert_int_equal(log_lines, 1);

    session = suite_begin(RT_STORE_READ);
    assert_int_not_equal(suite_store->ops->messages_list(session, suite_arena, room,
                             RT_MESSAGES_PAGE, 0, 1, &(rt_message_list_t){NULL, 0}),
        RT_OK);
    assert_int_not_equal(suite_store->ops->end(session, 1), RT_OK);
    assert_int_equal(log_lines, 1);

    run_sql("ALTER TABLE away RENAME TO messages");
    suite_add(room->id, RT_SENDER_CUSTOMER, "u1", 1);
    assert_int_equal(log_lines, 2);
}


/* The file is taken away: no new one is begun in its place. */
static void
test_vanished(void **state)
{
    char                path[96];
    rt_store_session_t *session;

    (void) state;

    snprintf(path, sizeof(path), "%s/chat.db", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(suite_store->ops->begin(suite_store, RT_STORE_READ, &session), RT_UNAVAILABLE);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(log_lines, 1);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TESTS,
        SUITE_ASSIST_TESTS,
        SUITE_NOTIFY_TESTS,
        SUITE_WEBHOOK_TESTS,
        cmocka_unit_test(test_check),
        cmocka_unit_test_setup_teardown(test_open_fails, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_private_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_older_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_together, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vanished, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trouble, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
