/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Short spinning of OpenMP's threads, see yonos_cpu_share_begin() in yonos.h.
 *
 * oneDNN's threads are libgomp's, as ours are. A thread that waits for the others of its team looks at a variable 300,000
 * times, which takes milliseconds, before it sleeps; where another thread or process needs that processor, perhaps even
 * the thread that is waited for, this is time lost to all. libgomp takes the number from the environment when it is
 * loaded, which for a plugin is too late and would concern child processes too. But it looks only 100 times while there
 * are more OpenMP threads than processors (libgomp's manual, GOMP_SPINCOUNT). So a team of two is made here that has
 * nothing to do: beside a team with a thread per processor, that is one more than there are processors.
 */
#include <omp.h>

#include "backend/cpu/cpu.h"

G_LOCK_DEFINE_STATIC(users);
static guint users;
static GThread *first; /* of the team; NULL: there is none */

static GMutex lock;
static GCond changed;
static gboolean stop; /* under `lock` */

static gpointer keep_team(gpointer unused) {
    (void)unused;
#pragma omp parallel num_threads(2)
    {
#pragma omp barrier
    }
    g_mutex_lock(&lock);
    while (!stop)
        g_cond_wait(&changed, &lock);
    g_mutex_unlock(&lock);
    return NULL;
}

static void set_stop(gboolean value) {
    g_mutex_lock(&lock);
    stop = value;
    g_cond_signal(&changed);
    g_mutex_unlock(&lock);
}

/* Who has chosen how threads wait gets that. libgomp ends the process when it cannot make a thread. */
static gboolean may_share(void) {
    return !g_getenv("OMP_WAIT_POLICY") && !g_getenv("GOMP_SPINCOUNT") && yonos_dnnl_has_room();
}

void yonos_cpu_share_begin(void) {
    G_LOCK(users);
    if (users++ == 0 && may_share()) {
        set_stop(FALSE);
        first = g_thread_try_new("yonos-share", keep_team, NULL, NULL);
    }
    G_UNLOCK(users);
}

void yonos_cpu_share_end(void) {
    G_LOCK(users);
    if (users > 0 && --users == 0 && first) {
        set_stop(TRUE);
        g_thread_join(g_steal_pointer(&first));
    }
    G_UNLOCK(users);
}
