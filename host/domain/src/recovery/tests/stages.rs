//! Every stage and every input, as a table; `table` says how a row is read.

use super::table::check;

#[test]
fn without_a_case() {
    check("none", "
        raised worse -> calling | I.open +opened O.scheduled +scheduled O.in-progress +started | call-fix
        cleared exited -> =
        done retryable permanent needs-operator missing -> illegal
        healthy passing failing down not-yet stale -> =
        recover -> calling | I.open +opened O.scheduled +scheduled O.in-progress +started | answer-in-progress call-fix
        dry-run -> = | +scheduled O.in-progress +started | answer-in-progress call-fix
        approve reject cancel -> = | | conflict
        pause -> = | P.true +paused | answer-done
        resume -> = | P.false +resumed | answer-done
        serves same-spec without-target another-route tick stop -> =
        unseen kept-stopped -> =
        halted sleeping -> illegal
        decided settling blind charter-whole -> =
        charter-broken -> = | +broken
        acknowledge -> = | | conflict
        signal resolve -> = | | conflict
        pause-for -> = | P.true +paused | answer-done
        show-policy -> = | | answer-policy
        clear-policy -> = | +changed | answer-policy
        safe-phase -> = | +changed A.safe | answer-done
    ");
}

#[test]
fn unrouted() {
    check(
        "unrouted",
        "
        raised -> = | I.escalated
        worse -> calling | I.escalated +worsened O.scheduled +scheduled O.in-progress +started | call-fix
        cleared -> none | I.self-healed +closed
        exited -> =
        done retryable permanent needs-operator missing -> illegal
        healthy passing failing down not-yet stale -> =
        recover dry-run -> = | | not-allowed
        approve reject cancel -> = | | conflict
        pause -> = | P.true +paused | answer-done
        resume -> = | P.false +resumed | answer-done
        serves same-spec -> =
        without-target -> none | I.removed +closed
        another-route -> looking | O.scheduled +scheduled | look
        tick stop -> =
        unseen kept-stopped -> none | I.unseen +closed
        halted sleeping -> illegal
        decided settling blind charter-whole -> =
        charter-broken -> = | +broken
        acknowledge -> = | I.escalated +acknowledged | answer-done
        signal resolve -> = | | conflict
        pause-for -> = | P.true +paused | answer-done
        show-policy -> = | | answer-policy
        clear-policy -> = | +changed | answer-policy
        safe-phase -> = | +changed A.safe | answer-done
    ",
    );
}

#[test]
fn with_people() {
    check("people", "
        raised -> = | I.open
        worse -> = | I.open +worsened
        cleared -> none | I.self-healed +closed
        exited -> =
        done retryable permanent needs-operator missing -> illegal
        healthy passing failing down not-yet stale -> =
        recover -> calling | I.open O.scheduled +scheduled O.in-progress +started | answer-in-progress call-fix
        dry-run -> = | +scheduled O.in-progress +started | answer-in-progress call-fix
        approve reject cancel -> = | | conflict
        pause -> = | P.true +paused | answer-done
        resume -> looking | P.false +resumed I.open O.scheduled +scheduled | answer-done look
        serves same-spec -> =
        without-target -> none | I.removed +closed
        another-route tick stop -> =
        unseen kept-stopped -> none | I.unseen +closed
        halted sleeping -> illegal
        decided settling blind charter-whole -> =
        charter-broken -> = | +broken
        acknowledge -> = | I.open +acknowledged | answer-done
        signal resolve -> = | | conflict
        pause-for -> = | P.true +paused | answer-done
        show-policy -> = | | answer-policy
        clear-policy -> = | +changed | answer-policy
        safe-phase -> = | +changed A.safe | answer-done
    ");
}

/// Held, for its target is paused.
#[test]
fn scheduled() {
    check("scheduled", "
        raised -> = | I.open
        worse -> = | I.open +worsened O.scheduled
        cleared -> none | I.self-healed O.cancelled +cancelled +closed
        exited -> =
        done retryable permanent needs-operator missing -> illegal
        healthy passing failing down not-yet stale -> =
        recover -> calling | O.scheduled +scheduled O.in-progress +started | answer-in-progress call-fix
        dry-run -> = | +scheduled O.in-progress +started | answer-in-progress call-fix
        approve reject -> = | | conflict
        cancel -> people | I.open O.cancelled +cancelled | answer-cancelled
        pause -> = | P.true +paused | answer-done
        resume -> looking | P.false +resumed | answer-done look
        serves same-spec -> =
        without-target -> none | I.removed O.cancelled +cancelled +closed
        another-route tick stop -> =
        unseen kept-stopped -> none | I.unseen O.cancelled +cancelled +closed
        halted sleeping -> illegal
        decided settling blind charter-whole -> =
        charter-broken -> = | +broken
        acknowledge -> = | I.open +acknowledged | answer-done
        signal -> = | O.scheduled +signalled | answer-scheduled
        resolve -> = | | conflict
        pause-for -> = | P.true +paused | answer-done
        show-policy -> = | | answer-policy
        clear-policy -> = | +changed | answer-policy
        safe-phase -> = | +changed A.safe | answer-done
    ");
}

#[test]
fn resting() {
    check(
        "resting",
        "
        raised -> = | I.open
        worse -> = | I.open +worsened O.in-progress
        cleared -> watched | I.self-healed O.cancelled +cancelled +closed
        exited -> =
        done retryable permanent needs-operator missing -> illegal
        healthy passing failing down not-yet stale -> =
        recover -> calling | O.in-progress +scheduled O.in-progress | answer-in-progress call-fix
        dry-run -> = | +scheduled O.in-progress +started | answer-in-progress call-fix
        approve reject -> = | | conflict
        cancel -> people | I.open O.cancelled +cancelled | answer-cancelled
        pause -> = | P.true +paused | answer-done
        resume -> = | P.false +resumed | answer-done
        serves same-spec -> =
        without-target -> none | I.removed O.cancelled +cancelled +closed
        another-route tick stop -> =
        unseen kept-stopped -> none | I.unseen O.cancelled +cancelled +closed
        halted sleeping -> illegal
        decided settling blind charter-whole -> =
        charter-broken -> = | +broken
        acknowledge -> = | I.open +acknowledged | answer-done
        signal -> = | O.in-progress +signalled | answer-in-progress
        resolve -> = | | conflict
        pause-for -> = | P.true +paused | answer-done
        show-policy -> = | | answer-policy
        clear-policy -> = | +changed | answer-policy
        safe-phase -> = | +changed A.safe | answer-done
    ",
    );
}

#[test]
fn asking() {
    check(
        "asking",
        "
        raised -> = | I.open
        worse -> = | I.open +worsened O.awaiting-manual
        cleared -> watched | I.self-healed O.cancelled +cancelled +closed
        exited -> =
        done retryable permanent needs-operator missing -> illegal
        healthy passing failing down not-yet stale -> =
        recover -> = | | conflict
        dry-run -> = | +scheduled O.in-progress +started | answer-in-progress call-fix
        approve -> calling | O.scheduled +approved O.in-progress | answer-in-progress call-fix
        reject -> people | I.escalated O.cancelled +cancelled +escalated | answer-cancelled
        cancel -> people | I.open O.cancelled +cancelled | answer-cancelled
        pause -> = | P.true +paused | answer-done
        resume -> = | P.false +resumed | answer-done
        serves same-spec -> =
        without-target -> none | I.removed O.cancelled +cancelled +closed
        another-route tick stop -> =
        unseen kept-stopped -> none | I.unseen O.cancelled +cancelled +closed
        halted sleeping -> illegal
        decided settling blind charter-whole -> =
        charter-broken -> = | +broken
        acknowledge -> = | I.open +acknowledged | answer-done
        signal -> = | O.awaiting-manual +signalled | answer-awaiting-manual
        resolve -> = | | conflict
        pause-for -> = | P.true +paused | answer-done
        show-policy -> = | | answer-policy
        clear-policy -> = | +changed | answer-policy
        safe-phase -> = | +changed A.safe | answer-done
    ",
    );
}

#[test]
fn looking() {
    check(
        "looking",
        "
        raised -> = | I.open | look
        worse -> = | I.open +worsened O.scheduled | look
        cleared exited -> =
        done retryable permanent needs-operator missing -> illegal
        healthy -> none | I.self-healed O.cancelled +cancelled +closed
        passing not-yet stale -> =
        failing down -> calling | O.in-progress +started | call-fix
        recover approve reject -> = | | conflict
        dry-run -> = | +scheduled O.in-progress +started | answer-in-progress call-fix
        cancel -> people | I.open O.cancelled +cancelled | answer-cancelled
        pause -> = | P.true +paused | answer-done
        resume -> = | P.false +resumed | answer-done
        serves same-spec another-route tick stop -> =
        without-target -> none | I.removed O.cancelled +cancelled +closed
        unseen kept-stopped -> =
        halted sleeping -> illegal
        decided settling blind charter-whole -> =
        charter-broken -> = | +broken
        acknowledge -> = | I.open +acknowledged | answer-done
        signal -> = | O.scheduled +signalled | answer-scheduled
        resolve -> = | | conflict
        pause-for -> = | P.true +paused | answer-done
        show-policy -> = | | answer-policy
        clear-policy -> = | +changed | answer-policy
        safe-phase -> = | +changed A.safe | answer-done
    ",
    );
}

#[test]
fn calling() {
    check("calling", "
        raised -> = | I.open
        worse -> = | I.open +worsened O.in-progress
        cleared exited -> =
        done -> validating | C O.validating +validating | look-acted
        retryable -> resting | C O.in-progress +retrying
        permanent missing -> scheduled | I.escalated C O.failed +failed +escalated O.scheduled +scheduled
        needs-operator halted -> asking | C O.awaiting-manual +awaiting-manual
        healthy passing failing down not-yet stale -> =
        recover approve reject -> = | | conflict
        dry-run -> = | +scheduled O.in-progress +started | answer-in-progress call-fix
        cancel -> = | I.open O.in-progress +cancelling | answer-in-progress
        pause -> = | P.true +paused | answer-done
        resume -> = | P.false +resumed | answer-done
        serves same-spec without-target another-route tick stop -> =
        unseen kept-stopped -> =
        sleeping -> resting | O.in-progress +suspended
        decided settling blind charter-whole -> =
        charter-broken -> = | +broken
        acknowledge -> = | I.open +acknowledged | answer-done
        signal -> = | O.in-progress +signalled | answer-in-progress
        resolve -> = | | conflict
        pause-for -> = | P.true +paused | answer-done
        show-policy -> = | | answer-policy
        clear-policy -> = | +changed | answer-policy
        safe-phase -> = | +changed A.safe | answer-done
    ");
}

/// Between two steps of its chain.
#[test]
fn pausing() {
    check("pausing", "
        raised -> = | I.open
        worse -> = | I.open +worsened O.in-progress
        cleared exited -> =
        done retryable permanent needs-operator missing -> illegal
        healthy passing failing down not-yet stale -> =
        recover approve reject -> = | | conflict
        dry-run -> = | +scheduled O.in-progress +started | answer-in-progress call-fix
        cancel -> validating | I.open O.in-progress +cancelling O.validating +validating | answer-validating look-acted
        pause -> = | P.true +paused | answer-done
        resume -> = | P.false +resumed | answer-done
        serves same-spec another-route tick -> =
        without-target -> none | I.removed O.cancelled +cancelled +closed
        stop -> resting | O.in-progress
        unseen kept-stopped -> =
        halted sleeping -> illegal
        decided settling blind charter-whole -> =
        charter-broken -> = | +broken
        acknowledge -> = | I.open +acknowledged | answer-done
        signal -> = | O.in-progress +signalled | answer-in-progress
        resolve -> = | | conflict
        pause-for -> = | P.true +paused | answer-done
        show-policy -> = | | answer-policy
        clear-policy -> = | +changed | answer-policy
        safe-phase -> = | +changed A.safe | answer-done
    ");
}

#[test]
fn validating() {
    check(
        "validating",
        "
        raised -> = | I.open | look
        worse -> = | I.open +worsened O.validating | look
        cleared -> =
        exited down -> resting | O.validating +retrying
        done retryable permanent needs-operator missing -> illegal
        healthy -> watched | I.recovered O.succeeded +succeeded +closed
        passing failing not-yet stale -> =
        recover approve reject -> = | | conflict
        dry-run -> = | +scheduled O.in-progress +started | answer-in-progress call-fix
        cancel -> people | I.open O.cancelled +cancelled | answer-cancelled
        pause -> = | P.true +paused | answer-done
        resume -> = | P.false +resumed | answer-done
        serves same-spec another-route tick stop -> =
        without-target -> none | I.removed O.cancelled +cancelled +closed
        unseen kept-stopped -> =
        halted sleeping -> illegal
        decided settling blind charter-whole -> =
        charter-broken -> = | +broken
        acknowledge -> = | I.open +acknowledged | answer-done
        signal -> = | O.validating +signalled | answer-validating
        resolve -> = | | conflict
        pause-for -> = | P.true +paused | answer-done
        show-policy -> = | | answer-policy
        clear-policy -> = | +changed | answer-policy
        safe-phase -> = | +changed A.safe | answer-done
    ",
    );
}

#[test]
fn watched() {
    check("watched", "
        raised worse -> scheduled | I.open +reopened O.scheduled +scheduled
        cleared exited -> =
        done retryable permanent needs-operator missing -> illegal
        healthy passing failing down not-yet stale -> =
        recover -> calling | I.open +opened O.scheduled +scheduled O.in-progress +started | answer-in-progress call-fix
        dry-run -> = | +scheduled O.in-progress +started | answer-in-progress call-fix
        approve reject cancel -> = | | conflict
        pause -> = | P.true +paused | answer-done
        resume -> = | P.false +resumed | answer-done
        serves same-spec -> =
        without-target -> none
        another-route tick stop -> =
        unseen kept-stopped -> =
        halted sleeping -> illegal
        decided settling blind charter-whole -> =
        charter-broken -> = | +broken
        acknowledge -> = | | conflict
        signal resolve -> = | | conflict
        pause-for -> = | P.true +paused | answer-done
        show-policy -> = | | answer-policy
        clear-policy -> = | +changed | answer-policy
        safe-phase -> = | +changed A.safe | answer-done
    ");
}
