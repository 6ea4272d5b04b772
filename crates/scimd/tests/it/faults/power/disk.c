// Writes down, in order, what a process does to the files of a database, for power/trace.rs: what was written where, what was
// cut off, made or removed, and what was synced. Nothing is done otherwise than it would be.
//
//   POWER_FILES=/folder/scimd.db POWER_TRACE=/elsewhere/trace LD_PRELOAD=… scimd serve …
//
// The files are those whose path begins with POWER_FILES, and their folder, but for `-shm`, which is memory. A record is
//
//   kind (1 byte), length of the name (1), number (8), length of the data (4), name, data
//
// with the name of a file after the folder, empty for the folder itself, and native byte order. Kinds, and their number:
//
//   c  the file was made             w  data was written at number    t  the file was cut, or grown, to number
//   u  its name was removed          s  a sync began, of this thread  S  that sync succeeded

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096
#define NAME 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *prefix = NULL;
static size_t folder_length = 0;
static int trace = -1;
// What is open: nothing, or 1 and the name after the folder.
static struct { char open; char name[NAME]; } files[FILES];

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWER_TRACE");
    prefix = getenv("POWER_FILES");
    const char *slash = prefix ? strrchr(prefix, '/') : NULL;
    if (!path || !slash)
        return;
    folder_length = (size_t)(slash - prefix);
    trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (trace < 0)
        abort();
}

// The name of a path that is followed, or NULL.
static const char *followed(const char *path) {
    if (trace < 0 || strncmp(path, prefix, folder_length) != 0)
        return NULL;
    if (path[folder_length] == 0)
        return "";
    size_t length = strlen(path);
    int shared = length > 4 && strcmp(path + length - 4, "-shm") == 0;
    int known = strncmp(path, prefix, strlen(prefix)) == 0 && !shared && length - folder_length < NAME;
    return known ? path + folder_length + 1 : NULL;
}

static const char *name_of(int file) {
    return trace >= 0 && file >= 0 && file < FILES && files[file].open ? files[file].name : NULL;
}

static void record(char kind, const char *name, uint64_t number, const void *data, uint32_t size) {
    char head[14];
    head[0] = kind;
    head[1] = (char)strlen(name);
    memcpy(head + 2, &number, 8);
    memcpy(head + 10, &size, 4);
    struct iovec parts[3] = {{head, 14}, {(void *)name, strlen(name)}, {(void *)data, size}};
    ssize_t all = (ssize_t)(14 + strlen(name) + size);
    if (syscall(SYS_writev, trace, parts, 3) != all)
        abort();
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    const char *name = followed(path);
    if (!name)
        return (int)syscall(SYS_openat, folder, path, flags, mode);
    pthread_mutex_lock(&lock);
    int is_new = (flags & O_CREAT) && syscall(SYS_access, path, F_OK) != 0;
    int file = (int)syscall(SYS_openat, folder, path, flags, mode);
    if (file >= FILES)
        abort();
    if (file >= 0) {
        files[file].open = 1;
        strcpy(files[file].name, name);
        if (is_new)
            record('c', name, 0, NULL, 0);
        else if (flags & O_TRUNC)
            record('t', name, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return file;
}

#define OPEN(function, before, folder)                                  \
    int function(before const char *path, int flags, ...) {             \
        mode_t mode = 0;                                                \
        if (flags & (O_CREAT | __O_TMPFILE)) {                          \
            va_list rest;                                               \
            va_start(rest, flags);                                      \
            mode = va_arg(rest, mode_t);                                \
            va_end(rest);                                               \
        }                                                               \
        return opened(folder, path, flags, mode);                       \
    }
#define NOTHING
#define FOLDER int folder,
OPEN(open, NOTHING, AT_FDCWD)
OPEN(open64, NOTHING, AT_FDCWD)
OPEN(openat, FOLDER, folder)
OPEN(openat64, FOLDER, folder)

int close(int file) {
    if (name_of(file)) {
        pthread_mutex_lock(&lock);
        files[file].open = 0;
        pthread_mutex_unlock(&lock);
    }
    return (int)syscall(SYS_close, file);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    const char *name = name_of(file);
    if (!name)
        return syscall(SYS_pwrite64, file, data, size, at);
    pthread_mutex_lock(&lock);
    ssize_t written = syscall(SYS_pwrite64, file, data, size, at);
    if (written > 0)
        record('w', name, (uint64_t)at, data, (uint32_t)written);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int file, const void *data, size_t size, off_t at) { return pwrite64(file, data, size, at); }

ssize_t write(int file, const void *data, size_t size) {
    const char *name = name_of(file);
    if (!name)
        return syscall(SYS_write, file, data, size);
    pthread_mutex_lock(&lock);
    off_t at = syscall(SYS_lseek, file, 0, SEEK_CUR);
    ssize_t written = syscall(SYS_write, file, data, size);
    if (written > 0)
        record('w', name, (uint64_t)at, data, (uint32_t)written);
    pthread_mutex_unlock(&lock);
    return written;
}

int ftruncate64(int file, off64_t size) {
    const char *name = name_of(file);
    if (!name)
        return (int)syscall(SYS_ftruncate, file, size);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_ftruncate, file, size);
    if (result == 0)
        record('t', name, (uint64_t)size, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int unlink(const char *path) {
    const char *name = followed(path);
    if (!name)
        return (int)syscall(SYS_unlink, path);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_unlink, path);
    if (result == 0)
        record('u', name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

static int synced(long call, int file) {
    const char *name = name_of(file);
    if (!name)
        return (int)syscall(call, file);
    uint64_t thread = (uint64_t)syscall(SYS_gettid);
    pthread_mutex_lock(&lock);
    record('s', name, thread, NULL, 0);
    pthread_mutex_unlock(&lock);
    int result = (int)syscall(call, file);
    if (result == 0) {
        pthread_mutex_lock(&lock);
        record('S', name, thread, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return result;
}

int fsync(int file) { return synced(SYS_fsync, file); }
int fdatasync(int file) { return synced(SYS_fdatasync, file); }
