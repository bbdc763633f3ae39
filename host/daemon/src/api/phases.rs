//! The phase of the host: shown with its history, and changed.

use super::{
    Served,
    caller::Known,
    commands::{actor, short},
    error::ApiError,
    extract::Body,
};
use crate::ports::PhaseRequest;
use axum::{Json, extract::State};
use mainstay_api::{HostPhase, PhaseBody};
use mainstay_domain::event::EventKind;
use std::sync::Arc;

/// Changes of the phase; each is kept.
const CHANGES: &[EventKind] = &[EventKind::PhaseChanged];

/// So many of them are shown, the newest.
const SHOWN: usize = 100;

/// So many are read at a time.
const PAGE: u32 = 1_000;

pub(super) async fn show(State(served): State<Arc<Served>>) -> Result<Json<HostPhase>, ApiError> {
    let (recovery, records) = (&served.ports.recovery, &served.ports.records);
    let mut changes = Vec::new();
    let mut after = 0;
    loop {
        let page = records.events_of(CHANGES, after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.seq;
        changes.extend(page);
        let older = changes.len().saturating_sub(SHOWN);
        changes.drain(..older);
    }
    let (phase, rule) = (recovery.phase(), recovery.phase_rule());
    Ok(Json(HostPhase::of(phase, &rule, &changes)))
}

pub(super) async fn change(
    State(served): State<Arc<Served>>,
    who: Known,
    Body(body): Body<PhaseBody>,
) -> Result<Json<HostPhase>, ApiError> {
    let request = PhaseRequest {
        to: body.phase.into(),
        reason: short("reason", &body.reason)?,
        by: actor(who, &body.by)?,
    };
    let recovery = served.ports.recovery.clone();
    served
        .finish(async move { recovery.set_phase(request).await })
        .await?;
    show(State(served)).await
}
