/* A clock that can jump while a program runs: LD_PRELOAD this, with CHAOS_CLOCK naming a file that holds how far
   CLOCK_REALTIME is off, as one signed 64-bit number of nanoseconds in the machine's byte order. Waits until a moment
   of that clock are turned back, because the kernel knows its own clock only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static const volatile int64_t *shift;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_cond_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
static int (*real_cnd_timedwait)(cnd_t *, mtx_t *, const struct timespec *);
static int (*real_mutex_timedlock)(pthread_mutex_t *, const struct timespec *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);

static void *next(const char *name, const char *version) {
  void *found = version ? dlvsym(RTLD_NEXT, name, version) : NULL;
  return found ? found : dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void begin(void) {
  real_clock_gettime = next("clock_gettime", NULL);
  /* The older of two versions has another layout. */
  real_cond_timedwait = next("pthread_cond_timedwait", "GLIBC_2.3.2");
  real_cond_clockwait = next("pthread_cond_clockwait", NULL);
  real_cnd_timedwait = next("cnd_timedwait", NULL);
  real_mutex_timedlock = next("pthread_mutex_timedlock", NULL);
  real_sem_timedwait = next("sem_timedwait", NULL);
  const char *path = getenv("CHAOS_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *page = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (page != MAP_FAILED) shift = page;
}

static struct timespec moved(struct timespec at, int64_t by) {
  int64_t all = at.tv_sec * SECOND + at.tv_nsec + by;
  struct timespec made = {all / SECOND, all % SECOND};
  return made;
}

/* A moment of CLOCK_MONOTONIC is near the machine's start, and stays as it is. */
static struct timespec back(const struct timespec *at) {
  return shift && at->tv_sec > 100000000 ? moved(*at, -*shift) : *at;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (!real_clock_gettime) begin();
  int code = real_clock_gettime(clock, now);
  if (code == 0 && shift && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *now = moved(*now, *shift);
  return code;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec found;
  int code = clock_gettime(CLOCK_REALTIME, &found);
  now->tv_sec = found.tv_sec;
  now->tv_usec = found.tv_nsec / 1000;
  return code;
}

time_t time(time_t *into) {
  struct timespec found;
  clock_gettime(CLOCK_REALTIME, &found);
  if (into) *into = found.tv_sec;
  return found.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  struct timespec at = back(until);
  return real_cond_timedwait(condition, mutex, &at);
}

/* What librdkafka waits with; the C library's own does not come by the one above. */
int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
  struct timespec at = back(until);
  return real_cnd_timedwait(condition, mutex, &at);
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *until) {
  struct timespec at = back(until);
  return real_cond_clockwait(condition, mutex, clock, &at);
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) {
  struct timespec at = back(until);
  return real_mutex_timedlock(mutex, &at);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
  struct timespec at = back(until);
  return real_sem_timedwait(semaphore, &at);
}
