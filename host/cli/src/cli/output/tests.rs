//! What people read.

use super::*;
use mainstay_domain::time::Timestamp;
use std::time::Duration;

#[test]
fn times_are_said_as_people_say_them() {
    let now = Timestamp::from_millis(1_000_000_000);
    for (millis, expected) in [
        (999, "now"),
        (1_500, "1.5 s ago"),
        (59_000, "59 s ago"),
        (150_000, "2 min ago"),
        (7_200_000, "2 h ago"),
        (200_000_000, "2 d ago"),
    ] {
        let time = now - Duration::from_millis(millis);
        assert_eq!(relative(&time.to_string(), now), expected);
    }
    let time = now + Duration::from_secs(90);
    assert_eq!(relative(&time.to_string(), now), "in 90 s");
    assert_eq!(relative("some day", now), "some day");
}

#[test]
fn sizes_are_said_in_powers_of_ten() {
    for (bytes, expected) in [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (12_345, "12 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (u64::MAX, "18 EB"),
    ] {
        assert_eq!(size(bytes), expected, "{bytes}");
    }
}

#[test]
fn in_a_pipe_long_names_stay_whole_and_nothing_is_coloured() {
    let out = Output::in_memory(false, false);
    let name = "x".repeat(500);
    let rows = vec![vec![cell(&name, Tone::Bad), cell("ok", Tone::Good)]];
    out.table(&["NAME", "STATE"], rows, "none").unwrap();
    let written = out.written();
    assert!(written.contains(&name), "{written}");
    assert!(!written.contains('\u{1b}'), "{written}");
}

#[test]
fn colours_come_where_they_are_wanted() {
    for (colour, expected) in [(true, "\u{1b}[32mgood\u{1b}[0m\n"), (false, "good\n")] {
        let out = Output::in_memory(false, colour);
        out.line(&out.paint("good", Tone::Good)).unwrap();
        assert_eq!(out.written(), expected);
    }
}

#[test]
fn control_characters_of_others_do_not_reach_the_terminal() {
    assert_eq!(printable("a\u{1b}[31mb\nc"), r"a\u{1b}[31mb c");
    let foreign = "a\u{1b}[2J\u{1b}]0;t\u{7}\u{202e}b\r";
    let visible = r"a\u{1b}[2J\u{1b}]0;t\u{7}\u{202e}b\u{d}";
    for colour in [false, true] {
        let out = Output::in_memory(false, colour);
        out.line(foreign).unwrap();
        assert_eq!(out.written(), format!("{visible}\n"), "{colour}");
        let out = Output::in_memory(true, colour);
        out.json_line(&foreign).unwrap();
        let written = out.written();
        assert!(
            written.is_ascii() && !written.contains('\u{7f}'),
            "{written}"
        );
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), foreign);
    }
}

#[test]
fn what_a_terminal_has_no_room_for_is_left_out_at_the_end_and_counted() {
    let lines =
        |count: usize| -> Vec<String> { (1..=count).map(|line| line.to_string()).collect() };
    assert_eq!(first_lines(lines(4), 5), ["1", "2", "3", "4"]);
    assert_eq!(
        first_lines(lines(9), 5),
        ["1", "2", "3", "… and 6 more lines"]
    );
    assert_eq!(first_lines(lines(3), 1), ["… and 3 more lines"]);
}
