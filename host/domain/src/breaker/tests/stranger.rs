//! Health is of the own process.

use super::*;

#[test]
fn what_passes_while_the_child_is_down_neither_clears_nor_closes() {
    check(
        a_and_exit(),
        "exit- a- a- acted a+ a+ a+ exit+ a+ a+ 1",
        "open raise:exited raise:down half clear:down clear:exited closed",
    );
    check(
        a_and_exit(),
        "exit- a- a- 30 a+ a+ 60 a~ a~",
        "open raise:exited raise:down half",
    );
}

#[test]
fn a_success_of_a_stranger_does_not_interrupt_failures_in_a_row() {
    check(
        a_and_exit(),
        "exit- a- a+ a-",
        "open raise:exited raise:down",
    );
}

#[test]
fn what_looks_at_the_machine_or_at_data_needs_no_child() {
    let failure = FailureType::parse("exited").unwrap();
    let disk = CheckKind::Disk {
        path: "/".into(),
        max_percent: 95.0,
        warn_percent: None,
    };
    let checksum = CheckKind::Checksum {
        paths: vec!["/state.json".into()],
        required: true,
        members: Vec::new(),
    };
    for kind in [disk, checksum] {
        let own = CheckSpec {
            kind,
            ..check_spec("a", "bad", 2, 2)
        };
        let health = TargetHealth::new(&[own], Some((&failure, Severity::High)), BREAKER);
        check(
            health,
            "a- a- exit- acted a+ a+",
            "open raise:bad raise:exited half clear:bad",
        );
    }
}
