//! The paths of the admin API: what each takes, and what it answers.
//!
//! Length: it is one table, in which each path is looked for.

use super::{
    endpoint::{Answer, Endpoint},
    schemas::Schemas,
};
use crate::{
    alerts::{AlertQuery, AlertTestBody, TestedAlert},
    audit::{AuditQuery, AuditRow},
    backup_statistics::BackupStats,
    backups::{Backup, WorkLine},
    checkpoints::{CheckpointBody, ResumeJobBody, RollbackBody},
    commands::{CancelledRestore, Commanded, ReportedFailure, Scheduled},
    contents::ContentLine,
    errors::ErrorBody,
    events::Event,
    health::{HostHealth, Liveness, Node, Readiness},
    incidents::Incident,
    notes::{Note, NoteBody},
    operations::{Operation, OperationDetail},
    phases::{HostPhase, PhaseBody},
    plugins::PluginRow,
    policies::{PolicyBody, TargetPolicy},
    rehearsals::OperationExport,
    requests::{
        AcceptBody, AcknowledgeBody, BackupQuery, CancelRestoreBody, ContentBody, CreateBody,
        DecisionBody, DeleteBody, DiffBody, DocumentsBody, DrillBody, EventQuery, ForgetPluginBody,
        HistoryQuery, HoldBody, IncidentQuery, MoveBody, PauseBody, PruneBody, RecoverBody,
        RekeyBody, ReleaseBody, RenameQuery, ReportBody, ResolveBody, RestoreBody, SignalBody,
        SilenceBody, TargetBody, TargetDrillBody, UndeleteBody, UnsilenceBody,
    },
    silences::Silence,
    statistics::{Stats, StatsQuery},
    status::{ProbeReport, Status, TargetDetail, TargetLog},
};
use serde_json::{Map, Value, json};

/// Every path with its methods.
pub(super) fn all(schemas: &mut Schemas) -> Map<String, Value> {
    let mut paths = Map::new();
    for endpoint in endpoints(schemas) {
        let (path, method) = (endpoint.path, endpoint.method);
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(method.to_owned(), endpoint.json());
        }
    }
    paths
}

fn endpoints(schemas: &mut Schemas) -> Vec<Endpoint> {
    let mut all = reads(schemas);
    all.extend(commands(schemas));
    all.extend(targets(schemas));
    all.extend(work(schemas));
    all.extend(contents(schemas));
    all
}

fn reads(schemas: &mut Schemas) -> Vec<Endpoint> {
    use Answer::{Json, Lines, Metrics};
    vec![
        Endpoint::get(
            "/v1/status",
            "status",
            "What the daemon sees now",
            Json(schemas.answer::<Status>()),
        ),
        Endpoint::get(
            "/v1/plugins",
            "plugins",
            "The daemon's plugins",
            Json(schemas.answer::<Vec<PluginRow>>()),
        ),
        Endpoint::get(
            "/v1/incidents",
            "incidents",
            "Incidents, newest first",
            Json(schemas.answer::<Vec<Incident>>()),
        )
        .with_query(schemas.query::<IncidentQuery>()),
        Endpoint::get(
            "/v1/incidents/{id}",
            "incident",
            "One incident, and what the checks saw of it",
            Json(schemas.answer::<Incident>()),
        ),
        Endpoint::get(
            "/v1/operations",
            "operations",
            "Operations, newest first",
            Json(schemas.answer::<Vec<Operation>>()),
        )
        .with_query(schemas.query::<HistoryQuery>()),
        Endpoint::get(
            "/v1/operations/{id}",
            "operation",
            "One operation and its journal, effect by effect",
            Json(schemas.answer::<OperationDetail>()),
        ),
        Endpoint::get(
            "/v1/operations/{id}/export",
            "export-operation",
            "The calls and the journal of one operation, as they are stored, for a rehearsal",
            Json(schemas.answer::<OperationExport>()),
        ),
        Endpoint::get(
            "/v1/stats",
            "stats",
            "What became of the failures of each target, in numbers",
            Json(schemas.answer::<Stats>()),
        )
        .with_query(schemas.query::<StatsQuery>()),
        Endpoint::get(
            "/v1/stats/backups",
            "backup-stats",
            "What the backups of the catalog come to, in numbers: all, by type and by tier",
            Json(schemas.answer::<BackupStats>()),
        )
        .with_query(schemas.query::<BackupQuery>()),
        Endpoint::get(
            "/v1/silences",
            "silences",
            "The silences that hold, oldest first",
            Json(schemas.answer::<Vec<Silence>>()),
        ),
        Endpoint::get(
            "/v1/events",
            "events",
            "Events, oldest first, and with `follow` those to come; a stream that cannot go on ends with an error",
            Lines(json!({ "anyOf": [schemas.answer::<Event>(), schemas.answer::<ErrorBody>()] })),
        )
        .with_query(schemas.query::<EventQuery>()),
        Endpoint::get(
            "/v1/alerts/history",
            "alert-history",
            "The newest 1,000 alerts that were sent or given up: events, newest first",
            Json(schemas.answer::<Vec<Event>>()),
        )
        .with_query(schemas.query::<AlertQuery>()),
        Endpoint::get(
            "/v1/audit",
            "audit",
            "The audit log: who decided and did what, newest first",
            Json(schemas.answer::<Vec<AuditRow>>()),
        )
        .with_query(schemas.query::<AuditQuery>()),
        Endpoint::get(
            "/v1/renames",
            "renames",
            "That a target got another name, or has it from another one: events, newest first",
            Json(schemas.answer::<Vec<Event>>()),
        )
        .with_query(schemas.query::<RenameQuery>()),
        Endpoint::get(
            "/v1/backups",
            "backups",
            "Backups, newest first",
            Json(schemas.answer::<Vec<Backup>>()),
        )
        .with_query(schemas.query::<BackupQuery>()),
        Endpoint::get(
            "/v1/backups/{id}",
            "backup",
            "One backup",
            Json(schemas.answer::<Backup>()),
        ),
        Endpoint::get(
            "/v1/checkpoints",
            "checkpoints",
            "Backups that are checkpoints, newest first",
            Json(schemas.answer::<Vec<Backup>>()),
        )
        .with_query(schemas.query::<BackupQuery>()),
        Endpoint::get(
            "/v1/phase",
            "phase",
            "The phase of the host, what it recovers automatically, and how it came to be",
            Json(schemas.answer::<HostPhase>()),
        ),
        Endpoint::get(
            "/v1/health",
            "health",
            "How the host as a whole does: its mode, its score, and what it comes from",
            Json(schemas.answer::<HostHealth>()),
        ),
        Endpoint::get(
            "/v1/nodes",
            "nodes",
            "The hosts that work together; one that works alone is the only one",
            Json(schemas.answer::<Vec<Node>>()),
        ),
        Endpoint::get(
            "/ready",
            "ready",
            "Whether the host is as it should be: in the mode `primary`, and no target has failed; else 503",
            Json(schemas.answer::<Readiness>()),
        ),
        Endpoint::get(
            "/live",
            "live",
            "That the daemon answers",
            Json(schemas.answer::<Liveness>()),
        ),
        Endpoint::get("/metrics", "metrics", "Numbers for Prometheus", Metrics),
    ]
}

fn commands(schemas: &mut Schemas) -> Vec<Endpoint> {
    use Answer::{Accepted, Json, Nothing};
    let mut decide = |path, id, summary| {
        Endpoint::post(path, id, summary, Accepted(schemas.answer::<Operation>()))
            .with_body(schemas.body::<DecisionBody>())
            .with_revision()
    };
    let approve = decide(
        "/v1/operations/{id}/approve",
        "approve",
        "Let an operation that awaits a person run",
    );
    let reject = decide(
        "/v1/operations/{id}/reject",
        "reject",
        "End an operation that awaits a person; its incident is escalated",
    );
    let cancel = decide(
        "/v1/operations/{id}/cancel",
        "cancel",
        "End an operation that waits or runs, a running one after the call that runs",
    );
    vec![
        approve,
        reject,
        cancel,
        Endpoint::post(
            "/v1/incidents/{id}/ack",
            "acknowledge",
            "Take an incident on: nobody else is told that nobody has",
            Json(schemas.answer::<Incident>()),
        )
        .with_body(schemas.body::<AcknowledgeBody>()),
        Endpoint::post(
            "/v1/operations/{id}/resolve",
            "resolve",
            "Say whether an effect in doubt happened; its operation goes on",
            Accepted(schemas.answer::<Operation>()),
        )
        .with_body(schemas.body::<ResolveBody>()),
        Endpoint::post(
            "/v1/operations/{id}/signal",
            "signal",
            "Signal to the handler of an operation, whether it waits for it by now or not",
            Accepted(schemas.answer::<Operation>()),
        )
        .with_body(schemas.body::<SignalBody>()),
        Endpoint::post(
            "/v1/recover",
            "recover",
            "Recover a target by hand",
            Json(schemas.answer::<Scheduled>()),
        )
        .with_body(schemas.body::<RecoverBody>()),
        Endpoint::post(
            "/v1/pause",
            "pause",
            "Pause automatic recovery of a target, or of the host",
            Nothing,
        )
        .with_body(schemas.body::<PauseBody>()),
        Endpoint::post(
            "/v1/resume",
            "resume",
            "Resume automatic recovery of a target, or of the host",
            Nothing,
        )
        .with_body(schemas.body::<PauseBody>()),
        Endpoint::post(
            "/v1/phase",
            "set-phase",
            "Change the phase of the host, and with it what is recovered automatically",
            Json(schemas.answer::<HostPhase>()),
        )
        .with_body(schemas.body::<PhaseBody>()),
        Endpoint::post(
            "/v1/silence",
            "silence",
            "Hold back the alerts about a target, or with a key, for a while",
            Json(schemas.answer::<Silence>()),
        )
        .with_body(schemas.body::<SilenceBody>()),
        Endpoint::post(
            "/v1/unsilence",
            "unsilence",
            "End a silence; what still fires is delivered",
            Nothing,
        )
        .with_body(schemas.body::<UnsilenceBody>()),
        Endpoint::post(
            "/v1/notes",
            "add-note",
            "Write something down about an incident or an operation",
            Json(schemas.answer::<Note>()),
        )
        .with_body(schemas.body::<NoteBody>()),
        Endpoint::post(
            "/v1/alerts/test",
            "test-alerts",
            "Send one test alert to each receiver, and say what each answered",
            Json(schemas.answer::<Vec<TestedAlert>>()),
        )
        .with_body(schemas.body::<AlertTestBody>()),
        Endpoint::post(
            "/v1/plugins/forget",
            "forget-plugin",
            "Let other bytes go by a plugin's name and version than those that were accepted first",
            Nothing,
        )
        .with_body(schemas.body::<ForgetPluginBody>()),
        Endpoint::post(
            "/v1/heartbeat/{target}",
            "heartbeat",
            "Report that a target with a heartbeat check is alive",
            Nothing,
        ),
    ]
}

fn targets(schemas: &mut Schemas) -> Vec<Endpoint> {
    let probe = Endpoint::post(
        "/v1/targets/{target}/check",
        "check-target",
        "Run the checks of a target now",
        Answer::Json(schemas.answer::<ProbeReport>()),
    );
    let show = Endpoint::get(
        "/v1/targets/{target}",
        "target",
        "One target: its row of the status, what its checks saw last, the last lines of its log",
        Answer::Json(schemas.answer::<TargetDetail>()),
    );
    let log = Endpoint::get(
        "/v1/targets/{target}/log",
        "target-log",
        "The end of a target's log",
        Answer::Json(schemas.answer::<TargetLog>()),
    );
    let policy = Endpoint::get(
        "/v1/targets/{target}/policy",
        "policy",
        "How a target is recovered: what its routes say, and what a person set over them",
        Answer::Json(schemas.answer::<TargetPolicy>()),
    );
    let set_policy = Endpoint::post(
        "/v1/targets/{target}/policy",
        "set-policy",
        "Set what holds over the routes of a target, or clear it",
        Answer::Json(schemas.answer::<TargetPolicy>()),
    )
    .with_body(schemas.body::<PolicyBody>());
    let report = Endpoint::post(
        "/v1/targets/{target}/report",
        "report-failure",
        "Report that a target has a failure, which holds until it is cleared; or clear it",
        Answer::Accepted(schemas.answer::<ReportedFailure>()),
    )
    .with_body(schemas.body::<ReportBody>());
    let drill = Endpoint::post(
        "/v1/targets/{target}/drill",
        "drill-target",
        "Break a target on purpose, and time its recovery; the event `target.drilled` says how it was",
        Answer::Accepted(schemas.answer::<Commanded>()),
    )
    .with_body(schemas.body::<TargetDrillBody>());
    let mut command = |path, id, summary| {
        let answer = Answer::Accepted(schemas.answer::<Commanded>());
        Endpoint::post(path, id, summary, answer).with_body(schemas.body::<TargetBody>())
    };
    vec![
        show,
        log,
        probe,
        policy,
        set_policy,
        report,
        drill,
        command(
            "/v1/targets/{target}/start",
            "start-target",
            "Start a target, and end a stop that was ordered; the event `target.started` says what came of it",
        ),
        command(
            "/v1/targets/{target}/stop",
            "stop-target",
            "Stop a target and keep it stopped; the event `target.stopped` says what came of it",
        ),
        command(
            "/v1/targets/{target}/restart",
            "restart-target",
            "Stop and start a target; the event `target.restarted` says what came of it",
        ),
        command(
            "/v1/targets/{target}/reload",
            "reload-target",
            "Have a target read its config anew while it runs; the event `target.reloaded` says what came of it",
        ),
    ]
}

fn work(schemas: &mut Schemas) -> Vec<Endpoint> {
    let mut work = |path, id, summary| {
        let line = schemas.answer::<WorkLine>();
        Endpoint::post(path, id, summary, Answer::Lines(line))
    };
    let create = work(
        "/v1/backups",
        "create-backup",
        "Take a backup, read it back and verify it",
    );
    let verify = work(
        "/v1/backups/{id}/verify",
        "verify-backup",
        "Read a backup, and those that it needs, back from where they are stored",
    );
    let hold = work(
        "/v1/backups/{id}/hold",
        "hold-backup",
        "Hold a backup, so that nothing lets it go",
    );
    let release = work(
        "/v1/backups/{id}/release",
        "release-backup",
        "Hold a backup no more",
    );
    let accept = work(
        "/v1/backups/{id}/accept",
        "accept-backup",
        "Take a suspicious backup as it is, and those before it",
    );
    let moving = work(
        "/v1/backups/{id}/move",
        "move-backup",
        "Move a stored backup to another tier, where it is read back before it goes from where it is",
    );
    let delete = work(
        "/v1/backups/{id}/delete",
        "delete-backup",
        "Move a backup that nothing needs to the trash, or look whether it may go",
    );
    let undelete = work(
        "/v1/backups/{id}/undelete",
        "undelete-backup",
        "Take a backup, and what it needs, out of the trash again, and read it back",
    );
    let checkpoint = work(
        "/v1/checkpoints",
        "take-checkpoint",
        "Take a checkpoint of a job, read it back and verify it",
    );
    let rollback = work(
        "/v1/checkpoints/{id}/rollback",
        "roll-back",
        "Roll a job back to a checkpoint; an error where its state is not the checkpoint's in the end, or what was paused stays so",
    );
    let rebuild = work(
        "/v1/rebuild",
        "rebuild-catalog",
        "Record whatever is stored and not in the catalog",
    );
    let restore = work("/v1/restore", "restore", "Restore a job's state");
    let prune = work(
        "/v1/prune",
        "prune",
        "Run retention now, or judge and expire nothing",
    );
    let rekey = work(
        "/v1/rekey",
        "rekey",
        "Encrypt what is stored of a job to its present recipients, or look and change nothing",
    );
    let drill = work(
        "/v1/drill",
        "drill",
        "Prove that the newest backup of a job can be restored",
    );
    let resume = Endpoint::post(
        "/v1/checkpoints/resume",
        "resume-job",
        "Resume what a rollback that failed has left paused",
        Answer::Nothing,
    );
    vec![
        create.with_body(schemas.body::<CreateBody>()),
        verify,
        hold.with_body(schemas.body::<HoldBody>()),
        release.with_body(schemas.body::<ReleaseBody>()),
        accept.with_body(schemas.body::<AcceptBody>()),
        moving.with_body(schemas.body::<MoveBody>()),
        delete.with_body(schemas.body::<DeleteBody>()),
        undelete.with_body(schemas.body::<UndeleteBody>()),
        checkpoint.with_body(schemas.body::<CheckpointBody>()),
        rollback.with_body(schemas.body::<RollbackBody>()),
        resume.with_body(schemas.body::<ResumeJobBody>()),
        rebuild,
        restore.with_body(schemas.body::<RestoreBody>()),
        rekey.with_body(schemas.body::<RekeyBody>()),
        prune.with_body(schemas.body::<PruneBody>()),
        drill.with_body(schemas.body::<DrillBody>()),
    ]
}

fn contents(schemas: &mut Schemas) -> Vec<Endpoint> {
    let mut lines = |path, id, summary| {
        let line = schemas.answer::<ContentLine>();
        Endpoint::post(path, id, summary, Answer::Lines(line))
    };
    let documents = lines(
        "/v1/backups/{id}/documents",
        "backup-documents",
        "What a backup holds: its documents, by key",
    );
    let diff = lines(
        "/v1/backups/{id}/diff",
        "diff-backup",
        "What leads from a backup to another one, or to what the sources of its job hold now",
    );
    let content = lines(
        "/v1/backups/{id}/content",
        "backup-content",
        "The content of one document of a backup, after all that it is read from was checked",
    );
    let cancel = Endpoint::post(
        "/v1/restore/cancel",
        "cancel-restore",
        "End the backup, the restore or the drill of a job that is under way; what is being put in place is put there whole",
        Answer::Accepted(schemas.answer::<CancelledRestore>()),
    );
    vec![
        cancel.with_body(schemas.body::<CancelRestoreBody>()),
        documents.with_body(schemas.body::<DocumentsBody>()),
        diff.with_body(schemas.body::<DiffBody>()),
        content.with_body(schemas.body::<ContentBody>()),
    ]
}
