//! The terminals of Lark's `common` that llguidance knows, as regexes.

/// Names and patterns, in alphabetical order.
const COMMON: [(&str, &str); 25] = [
    ("CNAME", "[_A-Za-z][_A-Za-z0-9]*"),
    ("CPP_COMMENT", "//[^\\n]*"),
    ("CR", "\\r"),
    ("C_COMMENT", "/\\*[^*]*\\*+(?:[^/*][^*]*\\*+)*/"),
    ("DECIMAL", "[0-9]+\\.[0-9]*|\\.[0-9]+"),
    ("DIGIT", "[0-9]"),
    ("ESCAPED_STRING", "\"(?:[^\"\\\\]|\\\\.)*\""),
    ("FLOAT", "(?:[0-9]+\\.[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+"),
    ("HEXDIGIT", "[a-fA-F0-9]"),
    ("INT", "[0-9]+"),
    ("LCASE_LETTER", "[a-z]"),
    ("LETTER", "[A-Za-z]"),
    ("LF", "\\n"),
    ("NEWLINE", "(?:\\r?\\n)+"),
    ("NUMBER", "[0-9]+|(?:[0-9]+\\.[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+"),
    ("SH_COMMENT", "#[^\\n]*"),
    ("SIGNED_FLOAT", "[+-]?(?:(?:[0-9]+\\.[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)"),
    ("SIGNED_INT", "[+-]?[0-9]+"),
    ("SIGNED_NUMBER", "[+-]?(?:[0-9]+|(?:[0-9]+\\.[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)"),
    ("SQL_COMMENT", "--[^\\n]*"),
    ("UCASE_LETTER", "[A-Z]"),
    ("WORD", "[A-Za-z]+"),
    ("WS", "[ \\t\\f\\r\\n]+"),
    ("WS_INLINE", "[ \\t]+"),
    ("_EXP", "[eE][+-]?[0-9]+"),
];

/// The pattern of a terminal of `common`.
pub(super) fn pattern(name: &str) -> Option<&'static str> {
    COMMON.iter().find(|(known, _)| *known == name).map(|(_, pattern)| *pattern)
}

/// The names of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMON.iter().map(|(name, _)| *name)
}
