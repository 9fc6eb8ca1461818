/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GLib's locks by means of pthreads, to preload into the tests under the thread sanitizer: GLib's own ones are futexes
 * inside a library without instrumentation, which the sanitizer cannot see, so that everything looks like a race.
 * A lock is made at its first use and kept in GLib's structure.
 */
#include <glib.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

typedef void *(*MakeFunction)(void);

static void *make_mutex(void) {
    pthread_mutex_t *mutex = malloc(sizeof *mutex);
    pthread_mutex_init(mutex, NULL);
    return mutex;
}

static void *make_recursive_mutex(void) {
    pthread_mutex_t *mutex = malloc(sizeof *mutex);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(mutex, &attributes);
    return mutex;
}

static void *make_condition(void) {
    pthread_cond_t *condition = malloc(sizeof *condition);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    return condition;
}

static void *make_rw_lock(void) {
    pthread_rwlock_t *lock = malloc(sizeof *lock);
    pthread_rwlock_init(lock, NULL);
    return lock;
}

/* Two threads that come first at the same time make two locks; the second is forgotten. */
static void *get(gpointer *slot, MakeFunction make) {
    void *known = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
    if (known)
        return known;
    void *made = make();
    return __atomic_compare_exchange_n(slot, &known, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) ? made : known;
}

#define DEFINE_LIFE(name, Type, destroy)                                                                               \
    void g_##name##_init(Type *object) {                                                                               \
        object->p = NULL;                                                                                              \
    }                                                                                                                  \
    void g_##name##_clear(Type *object) {                                                                              \
        if (object->p)                                                                                                 \
            destroy(object->p);                                                                                        \
        free(object->p);                                                                                               \
        object->p = NULL;                                                                                              \
    }

#define DEFINE_LOCK(function, Type, make, action)                                                                      \
    void function(Type *object) {                                                                                      \
        action(get(&object->p, make));                                                                                 \
    }

#define DEFINE_TRYLOCK(function, Type, make, action)                                                                   \
    gboolean function(Type *object) {                                                                                  \
        return action(get(&object->p, make)) == 0;                                                                     \
    }

DEFINE_LIFE(mutex, GMutex, pthread_mutex_destroy)
DEFINE_LOCK(g_mutex_lock, GMutex, make_mutex, pthread_mutex_lock)
DEFINE_LOCK(g_mutex_unlock, GMutex, make_mutex, pthread_mutex_unlock)
DEFINE_TRYLOCK(g_mutex_trylock, GMutex, make_mutex, pthread_mutex_trylock)

DEFINE_LIFE(rec_mutex, GRecMutex, pthread_mutex_destroy)
DEFINE_LOCK(g_rec_mutex_lock, GRecMutex, make_recursive_mutex, pthread_mutex_lock)
DEFINE_LOCK(g_rec_mutex_unlock, GRecMutex, make_recursive_mutex, pthread_mutex_unlock)
DEFINE_TRYLOCK(g_rec_mutex_trylock, GRecMutex, make_recursive_mutex, pthread_mutex_trylock)

DEFINE_LIFE(rw_lock, GRWLock, pthread_rwlock_destroy)
DEFINE_LOCK(g_rw_lock_reader_lock, GRWLock, make_rw_lock, pthread_rwlock_rdlock)
DEFINE_LOCK(g_rw_lock_reader_unlock, GRWLock, make_rw_lock, pthread_rwlock_unlock)
DEFINE_TRYLOCK(g_rw_lock_reader_trylock, GRWLock, make_rw_lock, pthread_rwlock_tryrdlock)
DEFINE_LOCK(g_rw_lock_writer_lock, GRWLock, make_rw_lock, pthread_rwlock_wrlock)
DEFINE_LOCK(g_rw_lock_writer_unlock, GRWLock, make_rw_lock, pthread_rwlock_unlock)
DEFINE_TRYLOCK(g_rw_lock_writer_trylock, GRWLock, make_rw_lock, pthread_rwlock_trywrlock)

DEFINE_LIFE(cond, GCond, pthread_cond_destroy)
DEFINE_LOCK(g_cond_signal, GCond, make_condition, pthread_cond_signal)
DEFINE_LOCK(g_cond_broadcast, GCond, make_condition, pthread_cond_broadcast)

void g_cond_wait(GCond *condition, GMutex *mutex) {
    pthread_cond_wait(get(&condition->p, make_condition), get(&mutex->p, make_mutex));
}

gboolean g_cond_wait_until(GCond *condition, GMutex *mutex, gint64 end) {
    const struct timespec time = {end / G_USEC_PER_SEC, end % G_USEC_PER_SEC * 1000};
    return pthread_cond_timedwait(get(&condition->p, make_condition), get(&mutex->p, make_mutex), &time) == 0;
}
