/* NVRTC with a cache on disk.
 *
 * The program loads `libnvrtc` at run time and compiles each kernel when it first needs it, in every process again. With this
 * library in its place, a kernel is looked up by its source and its architecture first. What is not there is compiled by the
 * real NVRTC and kept. So a machine that is lent for minutes can be given kernels that were compiled elsewhere:
 * `scripts/gpu.sh pack` fills the cache with the stand-in driver (driver.c).
 *
 *   GRAMASK_NVRTC        the real library [libnvrtc.so.13]
 *   GRAMASK_NVRTC_CACHE  the folder of the cache: HASH.cubin, which the driver loads as it is, or else HASH.ptx
 *
 * Only functions that the program calls are here. A program handle is an index, since a cached one has no real handle.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int nvrtcResult;
enum { NVRTC_SUCCESS = 0, NVRTC_ERROR_INTERNAL_ERROR = 11 };

typedef struct {
    char *source;
    void *real;        /* NULL where the cache had it */
    char *image;       /* PTX with its final zero, or a cubin */
    size_t bytes;
} Program;

/* ---- the real library ---- */

static void *symbol(const char *name) {
    static void *library;
    if (!library) {
        const char *path = getenv("GRAMASK_NVRTC");
        library = dlopen(path ? path : "libnvrtc.so.13", RTLD_NOW | RTLD_LOCAL);
        if (!library) fprintf(stderr, "nvrtc cache: %s\n", dlerror());
    }
    return library ? dlsym(library, name) : NULL;
}

/* ---- the cache ---- */

static uint64_t fnv(uint64_t hash, const char *text) {
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

/* The file of a source, for the architecture among the options. The paths of headers differ between machines. */
static int file_of(char *path, size_t size, const char *source, int count, const char *const *options, const char *suffix) {
    const char *folder = getenv("GRAMASK_NVRTC_CACHE");
    if (!folder) return 0;
    const char *architecture = "";
    for (int i = 0; i < count; i++)
        if (!strncmp(options[i], "--gpu-architecture=", 19)) architecture = options[i] + 19;
    uint64_t one = fnv(14695981039346656037u, source), two = fnv(one * 31 + strlen(source), source);
    snprintf(path, size, "%s/%s-%016llx%016llx.%s", folder, architecture, (unsigned long long)one, (unsigned long long)two, suffix);
    return 1;
}

static int read_file(const char *path, Program *program) {
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    fseek(file, 0, SEEK_END);
    long bytes = ftell(file);
    rewind(file);
    program->image = malloc((size_t)bytes + 1);
    int whole = program->image && fread(program->image, 1, (size_t)bytes, file) == (size_t)bytes;
    fclose(file);
    if (!whole) return 0;
    program->image[bytes] = 0;
    program->bytes = (size_t)bytes + 1;
    return 1;
}

/* Under another name first, so that no process reads half a file. */
static void write_file(const char *path, const char *text) {
    char partial[4200];
    snprintf(partial, sizeof partial, "%s.%d", path, (int)getpid());
    FILE *file = fopen(partial, "wb");
    if (!file) return;
    int whole = fputs(text, file) >= 0;
    if (fclose(file) == 0 && whole) rename(partial, path);
    else unlink(partial);
}

/* ---- what the program calls ---- */

nvrtcResult nvrtcVersion(int *major, int *minor) {
    nvrtcResult (*real)(int *, int *) = (nvrtcResult (*)(int *, int *))symbol("nvrtcVersion");
    return real ? real(major, minor) : NVRTC_ERROR_INTERNAL_ERROR;
}

const char *nvrtcGetErrorString(nvrtcResult result) {
    const char *(*real)(nvrtcResult) = (const char *(*)(nvrtcResult))symbol("nvrtcGetErrorString");
    return real ? real(result) : "no NVRTC";
}

nvrtcResult nvrtcCreateProgram(void **handle, const char *source, const char *name, int headers, const char *const *texts,
                               const char *const *names) {
    (void)name; (void)headers; (void)texts; (void)names;
    Program *program = calloc(1, sizeof *program);
    if (!program || !(program->source = strdup(source))) return NVRTC_ERROR_INTERNAL_ERROR;
    *handle = program;
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcCompileProgram(void *handle, int count, const char *const *options) {
    Program *program = handle;
    char path[4096];
    if (file_of(path, sizeof path, program->source, count, options, "cubin") && read_file(path, program)) return NVRTC_SUCCESS;
    if (file_of(path, sizeof path, program->source, count, options, "ptx") && read_file(path, program)) return NVRTC_SUCCESS;

    nvrtcResult (*create)(void **, const char *, const char *, int, const char *const *, const char *const *) =
        (nvrtcResult (*)(void **, const char *, const char *, int, const char *const *, const char *const *))symbol("nvrtcCreateProgram");
    nvrtcResult (*compile)(void *, int, const char *const *) = (nvrtcResult (*)(void *, int, const char *const *))symbol("nvrtcCompileProgram");
    nvrtcResult (*size)(void *, size_t *) = (nvrtcResult (*)(void *, size_t *))symbol("nvrtcGetPTXSize");
    nvrtcResult (*ptx)(void *, char *) = (nvrtcResult (*)(void *, char *))symbol("nvrtcGetPTX");
    if (!create || !compile || !size || !ptx) return NVRTC_ERROR_INTERNAL_ERROR;
    nvrtcResult code = create(&program->real, program->source, NULL, 0, NULL, NULL);
    if (code == NVRTC_SUCCESS) code = compile(program->real, count, options);
    if (code == NVRTC_SUCCESS) code = size(program->real, &program->bytes);
    if (code != NVRTC_SUCCESS) return code;
    program->image = malloc(program->bytes);
    if (!program->image) return NVRTC_ERROR_INTERNAL_ERROR;
    code = ptx(program->real, program->image);
    if (code == NVRTC_SUCCESS && file_of(path, sizeof path, program->source, count, options, "ptx")) write_file(path, program->image);
    return code;
}

nvrtcResult nvrtcGetPTXSize(void *handle, size_t *bytes) { *bytes = ((Program *)handle)->bytes; return NVRTC_SUCCESS; }

nvrtcResult nvrtcGetPTX(void *handle, char *text) {
    memcpy(text, ((Program *)handle)->image, ((Program *)handle)->bytes);
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetProgramLogSize(void *handle, size_t *bytes) {
    Program *program = handle;
    nvrtcResult (*real)(void *, size_t *) = (nvrtcResult (*)(void *, size_t *))symbol("nvrtcGetProgramLogSize");
    *bytes = 1;
    return program->real && real ? real(program->real, bytes) : NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetProgramLog(void *handle, char *text) {
    Program *program = handle;
    nvrtcResult (*real)(void *, char *) = (nvrtcResult (*)(void *, char *))symbol("nvrtcGetProgramLog");
    *text = 0;
    return program->real && real ? real(program->real, text) : NVRTC_SUCCESS;
}

nvrtcResult nvrtcDestroyProgram(void **handle) {
    Program *program = *handle;
    nvrtcResult (*real)(void **) = (nvrtcResult (*)(void **))symbol("nvrtcDestroyProgram");
    if (program->real && real) real(&program->real);
    free(program->source);
    free(program->image);
    free(program);
    *handle = NULL;
    return NVRTC_SUCCESS;
}
