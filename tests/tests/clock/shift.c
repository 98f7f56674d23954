/* Loaded into a program (LD_PRELOAD), shifts its calendar time by the seconds that stand in the file $TIDY_TEST_SHIFT, as if somebody had
 * set the clock; as a 64-bit number, at any time. Every way to the clock leads through the kernel's own library in the program's
 * memory (vDSO), so that is where it gets in the way: Rust programs do not go through the C library. Ends with status 77 where that
 * cannot be done. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *shift;

static long shifted(long id, struct timespec *now) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_clock_gettime), "D"(id), "S"(now) : "rcx", "r11", "memory");
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += *shift;
    return result;
}

/* The function of that name in the vDSO. */
static char *find(char *base, const char *name) {
    const Elf64_Ehdr *elf = (const void *)base;
    const Elf64_Phdr *part = (const void *)(base + elf->e_phoff);
    const Elf64_Dyn *entry = 0;
    for (int i = 0; i < elf->e_phnum; i++)
        if (part[i].p_type == PT_DYNAMIC)
            entry = (const void *)(base + part[i].p_offset);
    const Elf64_Sym *symbols = 0;
    const char *names = 0;
    for (; entry && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB)
            symbols = (const void *)(base + entry->d_un.d_ptr);
        if (entry->d_tag == DT_STRTAB)
            names = base + entry->d_un.d_ptr;
    }
    /* The names stand behind the symbols. */
    for (const Elf64_Sym *s = symbols; s && (const char *)s < names; s++)
        if (strcmp(names + s->st_name, name) == 0)
            return base + s->st_value;
    return 0;
}

__attribute__((constructor)) static void get_in_the_way(void) {
    const char *file = getenv("TIDY_TEST_SHIFT");
    if (!file)
        return;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    void *mapped = mmap(0, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
    char *base = (char *)getauxval(AT_SYSINFO_EHDR);
    char *function = base && mapped != MAP_FAILED ? find(base, "__vdso_clock_gettime") : 0;
    long page = sysconf(_SC_PAGESIZE);
    char *start = function - (uintptr_t)function % page;
    if (!function || mprotect(start, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        _exit(77);
    shift = mapped;
    /* mov rax, shifted; jmp rax */
    long (*target)(long, struct timespec *) = shifted;
    memcpy(function, "\x48\xb8", 2);
    memcpy(function + 2, &target, sizeof target);
    memcpy(function + 10, "\xff\xe0", 2);
    close(fd);
}
