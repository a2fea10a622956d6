# Turns files into one C++ source of raw strings. Run at build time:
#   cmake -D OUTPUT=embedded.cpp -D FOLDER=… -D "FILES=a;b" -P embed.cmake
# A literal is cut at 16,000 bytes: compilers need not take more than 65,536.
set(source "#include \"manifests/embedded.hpp\"\n\n#include <array>\n\nnamespace kbundle {\nnamespace {\n\n")
set(table "")
set(number 0)
list(LENGTH FILES count)
foreach(file IN LISTS FILES)
  file(READ "${FOLDER}/${file}" text)
  string(LENGTH "${text}" length)
  string(APPEND source "constexpr char file_${number}[] =")
  set(position 0)
  while(position LESS length)
    string(SUBSTRING "${text}" ${position} 16000 part)
    string(APPEND source "\n    R\"KBUNDLE(${part})KBUNDLE\"")
    math(EXPR position "${position} + 16000")
  endwhile()
  string(APPEND source ";\n\n")
  string(APPEND table "    EmbeddedFile{\"${file}\", {file_${number}, sizeof(file_${number}) - 1}},\n")
  math(EXPR number "${number} + 1")
endforeach()
string(APPEND source "constexpr std::array<EmbeddedFile, ${count}> files{{\n${table}}};\n\n}  // namespace\n\n"
  "std::span<const EmbeddedFile> embedded_files() { return files; }\n\n}  // namespace kbundle\n")
file(WRITE "${OUTPUT}" "${source}")
