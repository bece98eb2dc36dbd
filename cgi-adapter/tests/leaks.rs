//! Nothing is left behind, whatever the requests came to. Alone in its process, since it counts what that has.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{fs, time::Duration};

use common::{Site, chunked, until};
use gateway_spec::Input;
use http::Request;

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Processes of ours, zombies included.
fn children() -> usize {
    let parent = format!("PPid:\t{}", std::process::id());
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("status"));
    let statuses = processes.filter_map(|status| fs::read_to_string(status).ok());
    statuses.filter(|status| status.lines().any(|line| line == parent)).count()
}

#[tokio::test]
async fn no_descriptor_and_no_process_is_left_behind() {
    let site = Site::new().timeout(Duration::from_millis(500));
    let fates = [
        ("good", r"printf 'A: b\n\nbody'"),
        ("bad", "exit 3"),
        ("broken", r"printf 'A: b\n\nbody'; exit 3"),
        ("silent", "sleep 60"),
        ("endless", r"printf 'A: b\n\n'; exec cat /dev/zero"),
        ("lingering", r"printf 'A: b\n\n'; exec >&-; sleep 60"),
    ];
    for (name, script) in fates {
        site.add_sh(name, script);
    }
    site.add("interpreter", "#!/nonexistent\n", 0o755);
    site.get("/cgi-bin/good").await.text();
    until("the first is reaped", || children() == 0).await;
    let before = descriptors();
    let body = || chunked(vec![vec![0; 100_000].into()]);
    for _ in 0..5 {
        for name in ["good", "bad", "broken", "silent", "lingering", "interpreter"] {
            site.send_body(Request::post(format!("/cgi-bin/{name}")), body()).await;
        }
        for name in ["good", "broken", "endless"] {
            drop(site.response(Request::get(format!("/cgi-bin/{name}")), Input::empty()).await);
        }
    }
    until("all are reaped", || children() == 0).await;
    until("all descriptors are closed", || descriptors() == before).await;
}
