/* A stand-in for /dev/dma_heap, for LD_PRELOAD: libcamera's virtual pipeline runs with it on a machine without one.
 *
 * Opening a heap gives a harmless descriptor, allocating from it a memfd of the wanted length; naming a buffer and
 * synchronising the caches around an access succeed without doing anything. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int is_heap(const char *path) {
    return path != NULL && strcmp(path, "/dev/dma_heap/linux,cma") == 0;
}

static int open_heap(void) {
    return memfd_create("dma-heap", MFD_CLOEXEC);
}

#define WRAP_OPEN(name)                                             \
    int name(const char *path, int flags, ...) {                    \
        static int (*real)(const char *, int, ...);                 \
        if (is_heap(path))                                          \
            return open_heap();                                     \
        va_list arguments;                                          \
        va_start(arguments, flags);                                 \
        int mode = va_arg(arguments, int);                          \
        va_end(arguments);                                          \
        if (real == NULL)                                           \
            *(void **)&real = dlsym(RTLD_NEXT, #name);              \
        return real(path, flags, mode);                             \
    }
#define WRAP_OPENAT(name)                                           \
    int name(int folder, const char *path, int flags, ...) {        \
        static int (*real)(int, const char *, int, ...);            \
        if (is_heap(path))                                          \
            return open_heap();                                     \
        va_list arguments;                                          \
        va_start(arguments, flags);                                 \
        int mode = va_arg(arguments, int);                          \
        va_end(arguments);                                          \
        if (real == NULL)                                           \
            *(void **)&real = dlsym(RTLD_NEXT, #name);              \
        return real(folder, path, flags, mode);                     \
    }

WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

static int allocate(struct dma_heap_allocation_data *wanted) {
    int buffer = memfd_create("dma-buffer", MFD_CLOEXEC);
    if (buffer < 0)
        return -1;
    if (ftruncate(buffer, (off_t)wanted->len) != 0) {
        close(buffer);
        return -1;
    }
    wanted->fd = (unsigned)buffer;
    return 0;
}

int ioctl(int descriptor, unsigned long request, ...) {
    static int (*real)(int, unsigned long, ...);
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    switch ((unsigned)request) {
    case (unsigned)DMA_HEAP_IOCTL_ALLOC:
        return allocate(argument);
    case (unsigned)DMA_BUF_IOCTL_SYNC:
    case (unsigned)DMA_BUF_SET_NAME_A:
    case (unsigned)DMA_BUF_SET_NAME_B:
        return 0;
    default:
        break;
    }
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "ioctl");
    return real(descriptor, request, argument);
}
