# carya_embed(target file...): makes the files part of a target, which finds them by their names in
# kEmbeddedFiles of the header embedded_files.h.  The assembler reads them, so size costs nothing.
function(carya_embed target)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  set(data "")
  set(declarations "")
  set(entries "")
  set(number 0)
  foreach(file ${ARGN})
    get_filename_component(name ${file} NAME)
    set(symbol carya_embedded_${number})
    string(APPEND data ".global ${symbol}_begin\\n${symbol}_begin:\\n.incbin \\\"${file}\\\"\\n"
                       ".global ${symbol}_end\\n${symbol}_end:\\n.byte 0\\n")
    string(APPEND declarations "extern \"C\" const char ${symbol}_begin[], ${symbol}_end[];\n")
    string(APPEND entries "    {\"${name}\", ${symbol}_begin, ${symbol}_end},\n")
    math(EXPR number "${number} + 1")
  endforeach()
  file(CONFIGURE OUTPUT ${folder}/embedded_files.h CONTENT
"#pragma once
#include <string_view>
${declarations}namespace carya {
struct EmbeddedFile {
  std::string_view name;
  const char *begin, *end;
};
inline const EmbeddedFile kEmbeddedFiles[] = {
${entries}};
}  // namespace carya
")
  file(CONFIGURE OUTPUT ${folder}/embedded_files.cc CONTENT
"asm(\".section .rodata\\n${data}.section .note.GNU-stack,\\\"\\\",@progbits\\n.text\\n\");
")
  set_source_files_properties(${folder}/embedded_files.cc PROPERTIES OBJECT_DEPENDS "${ARGN}")
  target_sources(${target} PRIVATE ${folder}/embedded_files.cc)
  target_include_directories(${target} PRIVATE ${folder})
endfunction()
