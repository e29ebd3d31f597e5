/* Runs a fuzz target on the files that are named, where there is no fuzzer. */
#ifndef EB_FUZZ_REPLAY_H
#define EB_FUZZ_REPLAY_H

static void replay(const char *path)
{
    static uint8_t bytes[1u << 20];
    FILE *file = fopen(path, "rb");
    size_t size;

    require(file != NULL);
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, size);
}

int main(int count, char **words)
{
    for (int i = 1; i < count; i++)
        replay(words[i]);
    printf("%d inputs held\n", count - 1);
    return 0;
}

#endif
