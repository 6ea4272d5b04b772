// A slower disk: every sync of a file takes SYNC_US microseconds longer. For figures of what it is worth that writers share a
// sync, on machines whose disk takes thousands of them a second. Nothing is synced less.
//
//   cc -shared -fPIC -o target/slow_sync.so benches/slow_sync/slow_sync.c
//   SYNC_US=200 LD_PRELOAD=$PWD/target/slow_sync.so target/release/load --ratios --scenario post

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int slowly(const char *name, int file) {
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int result = sync(file);
    const char *text = getenv("SYNC_US");
    long micros = text ? atol(text) : 0;
    struct timespec pause = {micros / 1000000, micros % 1000000 * 1000};
    if (micros > 0)
        nanosleep(&pause, NULL);
    return result;
}

int fdatasync(int file) { return slowly("fdatasync", file); }
int fsync(int file) { return slowly("fsync", file); }
