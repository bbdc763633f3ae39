//! Databases as sources: `kind = "sqlite"`.

use super::prepare;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Makes a database, and keeps it open, with a row that is committed and in its log alone, and one that is not.
const WRITER: &str = "import sqlite3, sys\n\
    database = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
    database.execute('PRAGMA journal_mode = wal')\n\
    database.execute('CREATE TABLE word (text TEXT)')\n\
    database.execute(\"INSERT INTO word VALUES ('committed')\")\n\
    database.execute('BEGIN')\n\
    database.execute(\"INSERT INTO word VALUES ('not')\")\n\
    print('ready', flush=True)\n\
    sys.stdin.read()\n";

const READER: &str = "import sqlite3, sys\n\
    database = sqlite3.connect(sys.argv[1])\n\
    print(database.execute('SELECT text FROM word').fetchall())\n";

fn words(database: &Path) -> String {
    let mut reader = Command::new("python3");
    let output = reader.args(["-c", READER]).arg(database).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Acts: `job.source(sqlite)`, `job.source(sqlite).path`, `job.source(sqlite).key`
#[test]
fn a_database_that_is_in_use_is_stored_with_what_was_committed() {
    let mut daemon = prepare(
        r#"
[[job]]
name = "state"
encryption = "none"
exclude = ["app.db*"]
source = [
    { kind = "directory", path = "data" },
    { kind = "sqlite", path = "data/app.db", key = "dumps/app.db" },
]
"#,
    );
    let mut writer = Command::new("python3")
        .args(["-c", WRITER])
        .arg(daemon.path("data/app.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stdout = BufReader::new(writer.stdout.take().unwrap());
    stdout.read_line(&mut said).unwrap();
    assert_eq!(said, "ready\n");
    daemon.run();
    let taken = daemon.json(&["backup", "create", "state"])["backups"][0].clone();
    assert!(taken["incomplete"].is_null(), "{taken}");
    let into = daemon.path("into");
    daemon.json(&[
        "backup",
        "restore",
        "state",
        "--into",
        into.to_str().unwrap(),
    ]);
    assert_eq!(words(&into.join("dumps/app.db")), "[('committed',)]\n");
    assert!(!into.join("app.db").exists());
    drop(writer.stdin.take());
    assert!(writer.wait().unwrap().success());
}
