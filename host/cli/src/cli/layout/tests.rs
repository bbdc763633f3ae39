//! How lines are broken, and records are laid out.

use super::*;

fn style(width: Option<usize>) -> Style {
    Style {
        width,
        colour: false,
    }
}

fn plain(text: &str) -> Cell {
    cell(text, Tone::Plain)
}

fn text(text: &str, width: usize) -> Vec<String> {
    lay_out(&[Block::text(text, Tone::Plain)], style(Some(width)))
}

#[test]
fn lines_break_between_words_and_only_a_word_that_no_line_holds_is_cut() {
    let words = "one two three four five six seven eight nine ten";
    let lines = text(words, 40);
    assert_eq!(
        lines,
        ["one two three four five six seven eight", "  nine ten"]
    );
    let long = "x".repeat(90);
    let lines = text(&format!("a {long} b"), 40);
    let expected = [
        "a".to_owned(),
        format!("  {}", "x".repeat(38)),
        format!("  {}", "x".repeat(38)),
        format!("  {} b", "x".repeat(14)),
    ];
    assert_eq!(lines, expected);
    assert_eq!(text("", 40), [""]);
}

#[test]
fn no_line_breaks_between_a_number_and_its_unit() {
    for value in ["3.1 s", "(88 s)", "1,024 MiB,", "12 kB", "5 min;"] {
        let lines = text(&format!("{} {value} on", "x".repeat(36)), 40);
        assert_eq!(lines, ["x".repeat(36), format!("  {value} on")]);
    }
    // Any other word is none.
    let lines = text(&format!("{} 3 servers", "x".repeat(36)), 40);
    assert_eq!(
        lines,
        [format!("{} 3", "x".repeat(36)), "  servers".to_owned()]
    );
}

#[test]
fn an_address_that_no_line_holds_is_cut_behind_one_of_its_parts() {
    let address = "https://monitoring.example.net/alerts/of-the-second-data-centre/today?of=db1";
    assert_eq!(
        text(address, 40),
        [
            "https://monitoring.example.net/alerts/",
            "  of-the-second-data-centre/today?of=db1",
        ]
    );
}

#[test]
fn no_line_is_wider_than_its_room_for_what_it_keeps_together() {
    let wrapped = |text: &str, first: usize, rest: usize| -> Vec<String> {
        let lines = wrap(&glyphs(&[plain(text)]), first, rest);
        let shown = |line: &Vec<Glyph>| -> String {
            let characters = line.iter().map(|glyph| glyph.character);
            characters.collect()
        };
        lines.iter().map(shown).collect()
    };
    assert_eq!(wrapped("1,024 KiB", 5, 5), ["1,024", "KiB"]);
    let (head, tail) = ("x".repeat(19), "y".repeat(30));
    let lines = wrapped(&format!("{head}/{tail}"), 40, 10);
    let expected = [format!("{head}/{}", "y".repeat(20)), "y".repeat(10)];
    assert_eq!(lines, expected);
}

#[test]
fn wide_characters_take_the_columns_that_they_take() {
    // Two columns each: twenty fill the line.
    let lines = text(&format!("{} {}", "日".repeat(20), "日".repeat(20)), 40);
    assert_eq!(
        lines,
        [
            "日".repeat(20),
            format!("  {}", "日".repeat(19)),
            "  日".to_owned()
        ]
    );
}

#[test]
fn records_are_columns_where_they_fit_and_cards_where_they_do_not() {
    let rows = |error: &str| {
        let row = vec![plain("op-1"), plain("api"), plain("-"), plain(error)];
        vec![row]
    };
    let headings = ["OPERATION", "TARGET", "UNUSED", "LAST ERROR"];
    let lines = |error: &str, width| {
        let table = Table::new(&headings, rows(error), "none").led_by(&[0, 1]);
        lay_out(&[Block::Table(table)], style(width))
    };
    assert_eq!(
        lines("no answer", Some(40)),
        [
            "OPERATION  TARGET  LAST ERROR",
            "op-1       api     no answer"
        ]
    );
    let error = "no answer from any of the three servers that were asked";
    assert_eq!(
        lines(error, Some(60)),
        [
            "OPERATION  TARGET  LAST ERROR",
            "op-1       api     no answer from any of the three servers",
            "                   that were asked",
        ]
    );
    assert_eq!(
        lines(error, Some(40)),
        [
            "op-1  api",
            "  last error: no answer from any of the",
            "    three servers that were asked",
        ]
    );
    assert_eq!(
        lines(error, None),
        [
            "OPERATION  TARGET  UNUSED  LAST ERROR".to_owned(),
            format!("op-1       api     -       {error}"),
        ]
    );
    let none = Table::new(&headings, Vec::new(), "no operations");
    assert_eq!(
        lay_out(&[Block::Table(none)], style(None)),
        ["no operations"]
    );
}

/// Not now beside the one and now before the other: what is said begins in one place at each width.
#[test]
fn what_is_said_stands_beside_its_head_where_all_of_it_fits_and_else_below() {
    let entry = |said: &str, width| {
        let entry = Block::Entry {
            hang: 8,
            head: vec![
                plain("    19  2026-03-04 11:55:00  "),
                plain("alert.delivered  "),
            ],
            said: vec![plain("web webhook  "), plain(said)],
        };
        lay_out(&[entry], style(width))
    };
    let line = "    19  2026-03-04 11:55:00  alert.delivered  web webhook  delivered: it is over";
    assert_eq!(line.len(), 80);
    assert_eq!(entry("delivered: it is over", Some(80)), [line]);
    assert_eq!(entry("delivered: it is over", None), [line]);
    assert_eq!(
        entry("delivered: it is failing", Some(80)),
        [
            "    19  2026-03-04 11:55:00  alert.delivered",
            "        web webhook  delivered: it is failing",
        ]
    );
    for said in ["sent", "delivered: it is failing"] {
        let lines = entry(said, Some(40));
        let (head, below) = lines.split_at(2);
        assert_eq!(
            head,
            ["    19  2026-03-04 11:55:00", "        alert.delivered"]
        );
        assert!(below[0].starts_with("        web webhook  "), "{lines:#?}");
    }
}

#[test]
fn facts_go_on_below_themselves() {
    let facts = vec![
        ("state".to_owned(), plain("failed")),
        (
            "error".to_owned(),
            plain("the handler gave no answer within its deadline"),
        ),
    ];
    assert_eq!(
        lay_out(&[Block::Facts(facts)], style(Some(40))),
        [
            "state      failed",
            "error      the handler gave no answer",
            "           within its deadline",
        ]
    );
}

#[test]
fn an_identifier_that_is_too_long_beside_its_name_stands_below_it() {
    let id = "inc-01M8E9S6VG17Q8HEE63ACMQN8V";
    let facts = vec![
        ("incident".to_owned(), plain(&format!("{id}, since now"))),
        ("digest".to_owned(), plain(&"0".repeat(64))),
    ];
    let shown = |width| lay_out(&[Block::Facts(facts.clone())], style(Some(width)));
    assert_eq!(
        shown(40),
        [
            "incident",
            &format!("  {id}, since"),
            "  now",
            // No line holds it.
            &format!("digest     {}", "0".repeat(29)),
            &format!("           {}", "0".repeat(29)),
            "           000000",
        ]
    );
    assert_eq!(shown(80)[0], format!("incident   {id}, since now"));
}
