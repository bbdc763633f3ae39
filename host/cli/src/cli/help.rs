//! What the manual of every command ends with.

/// The end of a command's manual with its examples; `partly` of one that may have left something out, which it names.
macro_rules! examples {
    (partly, $text:literal) => {
        concat!(
            "Exit codes:\n  0  done\n  1  failed\n  2  bad usage or config\n  3  done, but for what it names\n\nExamples:",
            $text
        )
    };
    ($text:literal) => {
        concat!(
            "Exit codes:\n  0  done\n  1  failed\n  2  bad usage or config\n\nExamples:",
            $text
        )
    };
}
pub(super) use examples;
