/* Records, in order, everything that a process does to the files under one folder, and what it says on its standard
 * output. Loaded with LD_PRELOAD by powerloss.py, which also reads the trace.
 *
 * A record: kind (1 byte), inode, number (8 bytes each), lengths of two byte strings (4 bytes each), the two strings.
 *   c create   inode, path            a new name for a new file ("" for a file without a name)
 *   w write    inode, offset, data    t truncate inode, size
 *   r rename   old path, new path     u unlink   path
 *   l link     inode, new path        d mkdir    path            x rmdir path
 *   f sync of inode begins, number is its token; F the sync with that token is done
 *   s said     data                   U something happened to a tracked file that this cannot replay
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;
static char root[PATH_MAX];
static size_t root_length;
static uint64_t tokens;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWERLOSS_TRACE"), *folder = getenv("POWERLOSS_ROOT");
    if (path == NULL || folder == NULL) return;
    root_length = strlen(folder);
    memcpy(root, folder, root_length + 1);
    trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    unsetenv("LD_PRELOAD"); /* children of the process are not part of it */
}

static void put(const void *data, size_t length) {
    const char *at = data;
    while (length > 0) {
        long done = syscall(SYS_write, trace, at, length);
        if (done <= 0) abort();
        at += done;
        length -= (size_t)done;
    }
}

static void note(char kind, uint64_t inode, uint64_t number, const void *one, size_t one_length, const void *two,
                 size_t two_length) {
    char head[25];
    uint32_t lengths[2] = {(uint32_t)one_length, (uint32_t)two_length};
    head[0] = kind;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &number, 8);
    memcpy(head + 17, lengths, 8);
    put(head, sizeof head);
    put(one, one_length);
    put(two, two_length);
}

/* Makes a path absolute; whether it lies under the folder. */
static int inside(int directory, const char *path, char *out) {
    char base[PATH_MAX];
    if (trace < 0 || path == NULL) return 0;
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
    } else if (directory == AT_FDCWD) {
        if (getcwd(base, sizeof base) == NULL) return 0;
        snprintf(out, PATH_MAX, "%s/%s", base, path);
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return 0;
        base[length] = 0;
        snprintf(out, PATH_MAX, "%s/%s", base, path);
    }
    return strncmp(out, root, root_length) == 0 && (out[root_length] == '/' || out[root_length] == 0);
}

/* The inode behind a descriptor whose file lies under the folder, else 0. */
static uint64_t tracked(int descriptor) {
    char link[64], path[PATH_MAX];
    struct stat status;
    if (trace < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, root, root_length) != 0) return 0;
    if (path[root_length] != '/' && path[root_length] != 0) return 0;
    return fstat(descriptor, &status) == 0 ? (uint64_t)status.st_ino : 0;
}


static int opened(int directory, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    struct stat status;
    int known = inside(directory, path, full);
    if (!known) return (int)syscall(SYS_openat, directory, path, flags, mode);
    pthread_mutex_lock(&lock);
    int anonymous = (flags & O_TMPFILE) == O_TMPFILE;
    int existed = !anonymous && stat(full, &status) == 0;
    int descriptor = (int)syscall(SYS_openat, directory, path, flags, mode);
    int failure = errno;
    if (descriptor >= 0 && fstat(descriptor, &status) == 0) {
        if (anonymous) note('c', status.st_ino, 0, "", 0, "", 0);
        else if (!existed && (flags & O_CREAT)) note('c', status.st_ino, 0, full, strlen(full), "", 0);
        else if (flags & O_TRUNC) note('t', status.st_ino, 0, "", 0, "", 0);
    }
    pthread_mutex_unlock(&lock);
    errno = failure;
    return descriptor;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags | O_LARGEFILE, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

ssize_t write(int descriptor, const void *data, size_t length) {
    uint64_t inode = tracked(descriptor);
    if (inode == 0 && (descriptor != STDOUT_FILENO || trace < 0)) return syscall(SYS_write, descriptor, data, length);
    pthread_mutex_lock(&lock);
    ssize_t done = syscall(SYS_write, descriptor, data, length);
    int failure = errno;
    if (done > 0 && inode == 0) note('s', 0, 0, data, (size_t)done, "", 0);
    if (done > 0 && inode != 0) note('w', inode, lseek(descriptor, 0, SEEK_CUR) - done, data, (size_t)done, "", 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return done;
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    ssize_t total = 0;
    for (int part = 0; part < count; part++) {
        ssize_t done = write(descriptor, parts[part].iov_base, parts[part].iov_len);
        if (done < 0) return total > 0 ? total : done;
        total += done;
        if ((size_t)done < parts[part].iov_len) break;
    }
    return total;
}

static ssize_t written_at(int descriptor, const void *data, size_t length, off_t offset) {
    uint64_t inode = tracked(descriptor);
    if (inode == 0) return syscall(SYS_pwrite64, descriptor, data, length, offset);
    pthread_mutex_lock(&lock);
    ssize_t done = syscall(SYS_pwrite64, descriptor, data, length, offset);
    int failure = errno;
    if (done > 0) note('w', inode, offset, data, (size_t)done, "", 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return done;
}

ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset) {
    return written_at(descriptor, data, length, offset);
}
ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset) {
    return written_at(descriptor, data, length, offset);
}

static int truncated(int descriptor, off_t size) {
    uint64_t inode = tracked(descriptor);
    if (inode == 0) return (int)syscall(SYS_ftruncate, descriptor, size);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_ftruncate, descriptor, size);
    int failure = errno;
    if (result == 0) note('t', inode, size, "", 0, "", 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}

int ftruncate(int descriptor, off_t size) { return truncated(descriptor, size); }
int ftruncate64(int descriptor, off64_t size) { return truncated(descriptor, size); }

static int synced(int descriptor, long call) {
    uint64_t inode = tracked(descriptor), token;
    if (inode == 0) return (int)syscall(call, descriptor);
    pthread_mutex_lock(&lock);
    token = ++tokens;
    note('f', inode, token, "", 0, "", 0);
    pthread_mutex_unlock(&lock);
    int result = (int)syscall(call, descriptor), failure = errno;
    if (result == 0) {
        pthread_mutex_lock(&lock);
        note('F', inode, token, "", 0, "", 0);
        pthread_mutex_unlock(&lock);
    }
    errno = failure;
    return result;
}

int fsync(int descriptor) { return synced(descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return synced(descriptor, SYS_fdatasync); }

static int renamed(int at, const char *from, int to_at, const char *to, unsigned flags) {
    char old[PATH_MAX], new[PATH_MAX];
    int known = inside(at, from, old) | (inside(to_at, to, new) << 1);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_renameat2, at, from, to_at, to, flags);
    int failure = errno;
    if (result == 0 && known == 3) note('r', 0, 0, old, strlen(old), new, strlen(new));
    else if (result == 0 && known != 0) note('U', 0, 0, "rename across the folder", 24, "", 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}

int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int at, const char *from, int to_at, const char *to) { return renamed(at, from, to_at, to, 0); }
int renameat2(int at, const char *from, int to_at, const char *to, unsigned flags) {
    return renamed(at, from, to_at, to, flags);
}

static int unlinked(int at, const char *path, int flags) {
    char full[PATH_MAX];
    int known = inside(at, path, full);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_unlinkat, at, path, flags);
    int failure = errno;
    if (result == 0 && known) note(flags & AT_REMOVEDIR ? 'x' : 'u', 0, 0, full, strlen(full), "", 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}

int unlink(const char *path) { return unlinked(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return unlinked(at, path, flags); }
int rmdir(const char *path) { return unlinked(AT_FDCWD, path, AT_REMOVEDIR); }

static int linked(int at, const char *from, int to_at, const char *to, int flags) {
    char full[PATH_MAX];
    struct stat status;
    int known = inside(to_at, to, full);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_linkat, at, from, to_at, to, flags);
    int failure = errno;
    if (result == 0 && known && lstat(full, &status) == 0) note('l', status.st_ino, 0, full, strlen(full), "", 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}

int link(const char *from, const char *to) { return linked(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int at, const char *from, int to_at, const char *to, int flags) { return linked(at, from, to_at, to, flags); }

static int made(int at, const char *path, mode_t mode) {
    char full[PATH_MAX];
    struct stat status;
    int known = inside(at, path, full);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_mkdirat, at, path, mode);
    int failure = errno;
    if (result == 0 && known && stat(full, &status) == 0) note('d', status.st_ino, 0, full, strlen(full), "", 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}

int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { return made(at, path, mode); }

/* What cannot be replayed must not happen unnoticed. */
static void unsupported(int descriptor, const char *what) {
    if (tracked(descriptor) == 0) return;
    pthread_mutex_lock(&lock);
    note('U', 0, 0, what, strlen(what), "", 0);
    pthread_mutex_unlock(&lock);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags) {
    unsupported(to, "copy_file_range");
    return syscall(SYS_copy_file_range, from, from_at, to, to_at, length, flags);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t count) {
    unsupported(to, "sendfile");
    return syscall(SYS_sendfile, to, from, offset, count);
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) {
    unsupported(to, "sendfile");
    return syscall(SYS_sendfile, to, from, offset, count);
}
ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
    unsupported(descriptor, "pwritev");
    return syscall(SYS_pwritev, descriptor, parts, count, (long)offset, 0L);
}
ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t offset) {
    unsupported(descriptor, "pwritev");
    return syscall(SYS_pwritev, descriptor, parts, count, (long)offset, 0L);
}
