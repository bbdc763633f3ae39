//! Files that are written in one go, in pieces, and for ever.

use super::{
    Confidence::{Rested, Settled, Tentative},
    FileFlaw::{Content, Unfinished},
    *,
};

const REST: FileRest = FileRest {
    settling: Duration::from_millis(200),
    patience: Duration::from_secs(10),
    limit: Duration::from_secs(60),
};

fn at(millis: u64) -> Monotonic {
    Monotonic::from_start(Duration::from_millis(millis))
}

fn stamp(len: u64) -> FileStamp {
    FileStamp {
        inode: 1,
        len,
        modified: (0, 0),
        changed: (0, 0),
    }
}

/// Seen for the first time, and written just now.
fn written(len: u64, now: u64) -> FileHistory {
    FileHistory::new(stamp(len), Duration::ZERO, at(now))
}

fn wait(millis: u64) -> FileStep {
    FileStep::Wait(Duration::from_millis(millis))
}

#[test]
fn a_file_that_nobody_closed_is_read_when_it_has_settled() {
    let mut file = written(1, 1_000);
    assert_eq!(file.next(&REST, at(1_050)), wait(150));
    file.update(stamp(2), false, &REST, at(1_100));
    assert_eq!(file.next(&REST, at(1_250)), wait(50));
    assert_eq!(file.next(&REST, at(1_300)), FileStep::Read(Settled));
    file.accept();
    assert_eq!(file.next(&REST, at(1_300)), FileStep::Rest);
    file.update(stamp(2), true, &REST, at(9_000));
    assert_eq!(
        file.next(&REST, at(9_000)),
        FileStep::Rest,
        "closed again with nothing written"
    );
}

#[test]
fn a_closed_file_is_read_at_once_but_refused_only_when_it_has_settled() {
    let mut file = written(1, 0);
    file.update(stamp(1), true, &REST, at(10));
    assert_eq!(file.next(&REST, at(10)), FileStep::Read(Tentative));
    let again = file.doubt(Content, Tentative, &REST, at(20));
    assert_eq!(again, Some(Duration::from_millis(180)));
    assert_eq!(file.next(&REST, at(200)), FileStep::Read(Settled));
    assert_eq!(file.doubt(Content, Settled, &REST, at(200)), None);
}

#[test]
fn a_file_that_may_be_the_beginning_of_more_is_refused_only_when_it_has_rested() {
    let mut file = written(1, 0);
    assert_eq!(file.next(&REST, at(200)), FileStep::Read(Settled));
    let again = file.doubt(Unfinished, Settled, &REST, at(200));
    assert_eq!(again, Some(Duration::from_millis(9_800)));
    assert_eq!(file.next(&REST, at(9_999)), wait(1));
    assert_eq!(file.next(&REST, at(10_000)), FileStep::Read(Rested));
    assert_eq!(file.doubt(Unfinished, Rested, &REST, at(10_000)), None);
}

#[test]
fn a_file_in_twenty_pieces_is_refused_never_and_read_when_its_writer_closes_it() {
    for closes_each in [false, true] {
        let mut file = written(1, 0);
        for piece in 2..=20 {
            // It rests for longer than the settling time between any two.
            let now = piece * 300;
            if let FileStep::Read(confidence) = file.next(&REST, at(now - 10)) {
                assert_ne!(confidence, Rested);
                // A piece may look like anything.
                let flaw = if piece % 2 == 0 { Unfinished } else { Content };
                let again = file.doubt(flaw, confidence, &REST, at(now - 10));
                assert!(again.is_some(), "{piece}");
            }
            assert!(file.update(stamp(piece), closes_each, &REST, at(now)));
        }
        file.update(stamp(20), true, &REST, at(6_010));
        assert_eq!(file.next(&REST, at(6_010)), FileStep::Read(Tentative));
        file.accept();
        assert_eq!(file.next(&REST, at(6_020)), FileStep::Rest);
    }
}

#[test]
fn a_file_with_pauses_that_nobody_is_seen_to_close_is_read_when_it_has_rested() {
    let mut file = written(1, 0);
    file.update(stamp(2), false, &REST, at(500));
    assert_eq!(file.next(&REST, at(1_000)), wait(9_500));
    assert_eq!(file.next(&REST, at(10_500)), FileStep::Read(Rested));
}

#[test]
fn a_file_that_never_rests_is_judged_once_in_a_while() {
    let mut file = written(1, 0);
    let mut judged = Vec::new();
    for second in 1..=150 {
        file.update(stamp(second), false, &REST, at(second * 1_000));
        if let FileStep::Read(confidence) = file.next(&REST, at(second * 1_000)) {
            let refused = file.doubt(Unfinished, confidence, &REST, at(second * 1_000));
            if refused.is_none() {
                file.refuse(at(second * 1_000));
                judged.push(second);
            }
        }
    }
    assert_eq!(judged, [60, 120]);
}

#[test]
fn a_file_that_served_is_another_file_when_it_is_written_again() {
    let mut file = written(1, 0);
    for round in 1..=100 {
        let now = round * 1_000;
        file.update(stamp(round + 1), true, &REST, at(now));
        assert_eq!(file.next(&REST, at(now)), FileStep::Read(Tentative));
        file.accept();
    }
    file.update(stamp(500), false, &REST, at(101_000));
    assert_eq!(file.next(&REST, at(101_000)), wait(200));
}

#[test]
fn a_file_that_was_there_long_before_is_read_at_once() {
    let file = FileHistory::new(stamp(1), Duration::from_secs(60), at(0));
    assert_eq!(file.next(&REST, at(0)), FileStep::Read(Rested));
}

#[test]
fn what_failed_for_a_passing_reason_is_read_again_later_and_at_once_when_it_changes() {
    let retry_at = || {
        let mut file = FileHistory::new(stamp(1), Duration::from_secs(60), at(0));
        file.retry_at(at(3_000));
        file
    };
    let mut file = retry_at();
    assert_eq!(file.next(&REST, at(1_000)), wait(2_000));
    assert_eq!(file.next(&REST, at(3_000)), FileStep::Read(Rested));
    file.recheck();
    assert_eq!(file.next(&REST, at(1_000)), FileStep::Read(Rested));
    let mut file = retry_at();
    file.update(stamp(2), true, &REST, at(1_000));
    assert_eq!(file.next(&REST, at(1_000)), FileStep::Read(Tentative));
}

#[test]
fn what_each_move_makes_of_what_is_known() {
    use FileState::{Closed, Final, Open, RetryAt};
    let retry_at = RetryAt(at(3_000));
    // The state; once it is closed, doubted, and reconsidered.
    let table = [
        (Open, Closed, Open, Open),
        (Closed, Closed, Open, Closed),
        (Final, Final, Final, Closed),
        (retry_at, retry_at, retry_at, Closed),
    ];
    for (state, closed, reopened, rechecked) in table {
        assert_eq!(state.closed(), closed, "{state:?}");
        assert_eq!(state.reopened(), reopened, "{state:?}");
        assert_eq!(state.rechecked(), rechecked, "{state:?}");
    }
}
