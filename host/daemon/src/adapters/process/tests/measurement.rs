//! What a start costs; printed, not asserted.

use super::*;

#[tokio::test]
#[ignore = "a measurement: cargo test -p mainstay-daemon --release -- --ignored --nocapture how_long"]
async fn how_long_a_start_and_the_news_of_an_end_take() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    let mut masked = spec(&["/bin/true"]);
    masked.umask = Some(0o022);
    for (what, spec) in [
        ("posix_spawn", spec(&["/bin/true"])),
        ("fork and exec", masked),
    ] {
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..300 {
            let begin = Instant::now();
            let identity = processes.spawn(&web(), &spec, 0).await.unwrap();
            starts.push(begin.elapsed());
            processes.wait(identity).await;
            ends.push(begin.elapsed());
        }
        starts.sort();
        ends.sort();
        println!(
            "{what}: start {:?} median, start to reaped {:?} median",
            starts[150], ends[150]
        );
    }
}
