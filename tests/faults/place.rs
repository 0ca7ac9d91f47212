//! Three machines on one: each node has a network of its own, and they meet at a bridge. All of it is
//! in namespaces that belong to the process of the test, and goes with it, however it ends.

use eventlog::contract::Scratch;
use eventlog::nats::server::ServerPlace;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

/// The environment variable by which a process knows that it is inside already.
const INSIDE: &str = "TRANCHE_FAULTS_INSIDE";
/// The names of the nodes, and of their networks.
pub const NODES: [&str; 3] = ["one", "two", "three"];
/// Where the callers and the program are.
const HUB: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);

fn host(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, u8::try_from(node + 1).expect("three nodes"))
}

/// Runs one test in namespaces of its own: this program again, as root of a small world. Everything
/// in it is killed, unmounted and removed by the system when it ends, or when we do. Gives what it
/// said; nothing to the one inside.
pub fn inside(test: &str, work: impl FnOnce()) -> Option<String> {
    if std::env::var_os(INSIDE).is_some() {
        work();
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]);
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    // Built outside, where there is a network.
    crate::cli::program::directory();
    command.arg(std::env::current_exe().expect("the path of the tests"));
    command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    // Inside, process numbers begin anew, and with them the names of scratch directories.
    let scratch = crate::cli::program::Scratch::new();
    command.env("TMPDIR", scratch.path());
    let output = command.output().expect("unshare, of util-linux");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{said}\n{complaint}\nThis test makes networks and mounts in namespaces of its own: as root, or \
         where users may make user namespaces; and it needs unshare (util-linux) and ip (iproute2)."
    );
    assert!(said.contains("1 passed"), "there is no test {test}");
    Some(said.into_owned())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id, of coreutils");
    id.stdout == b"0\n"
}

fn run(program: &str, words: &str) {
    let output = Command::new(program).args(words.split(' ')).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words}: {said}");
}

/// The network of the three nodes. Only what is in the namespaces of [`inside`] is touched.
pub struct Network;

impl Network {
    pub fn make() -> Self {
        assert!(std::env::var_os(INSIDE).is_some(), "networks are made inside only");
        // Names of networks are kept there.
        run("mount", "-t tmpfs none /run");
        run("ip", "link set lo up");
        run("ip", "link add hub type bridge");
        run("ip", &format!("addr add {HUB}/24 dev hub"));
        run("ip", "link set hub up");
        for (number, name) in NODES.iter().enumerate() {
            run("ip", &format!("netns add {name}"));
            run("ip", &format!("link add to-{name} type veth peer name eth0 netns {name}"));
            run("ip", &format!("link set to-{name} master hub up"));
            run("ip", &format!("-n {name} addr add {}/24 dev eth0", host(number)));
            run("ip", &format!("-n {name} link set eth0 up"));
            run("ip", &format!("-n {name} link set lo up"));
        }
        Self
    }

    /// Where the nodes run.
    pub fn places(&self) -> [ServerPlace; 3] {
        [0, 1, 2].map(|node| {
            let through = ["ip", "netns", "exec", NODES[node]].map(str::to_owned).to_vec();
            ServerPlace { host: host(node), through }
        })
    }

    /// Nothing that two nodes send each other arrives any more.
    pub fn cut(&self, node: usize, other: usize) {
        self.change("add", node, other);
    }

    /// It arrives again.
    pub fn heal(&self, node: usize, other: usize) {
        self.change("del", node, other);
    }

    fn change(&self, what: &str, node: usize, other: usize) {
        for (from, to) in [(node, other), (other, node)] {
            run("ip", &format!("-n {} route {what} blackhole {}/32", NODES[from], host(to)));
        }
    }

    /// Nothing gets from the callers and the program to a node or back.
    pub fn cut_from_program(&self, node: usize) {
        run("ip", &format!("-n {} route add blackhole {HUB}/32", NODES[node]));
        run("ip", &format!("route add blackhole {}/32", host(node)));
    }

    /// It does again.
    pub fn heal_to_program(&self, node: usize) {
        run("ip", &format!("-n {} route del blackhole {HUB}/32", NODES[node]));
        run("ip", &format!("route del blackhole {}/32", host(node)));
    }
}

/// A disk of few megabytes for each node, which nothing else is on.
pub fn small_disks(scratch: &Scratch, megabytes: u32) {
    for name in NODES {
        let store = scratch.path().join(name);
        std::fs::create_dir(&store).expect("tests can write to their directory");
        run("mount", &format!("-t tmpfs -o size={megabytes}m none {}", store.display()));
    }
}

/// Fills the disk of a directory to the last byte.
pub fn fill(dir: &Path) {
    let path = dir.join("filler");
    let mut file = std::fs::File::create(path).expect("a file on the small disk");
    let block = vec![0_u8; 64 << 10];
    let mut size = block.len();
    // It ends: the disk is small. Smaller pieces, so that no byte is left.
    while size > 0 {
        if std::io::Write::write_all(&mut file, &block[..size]).is_err() {
            size /= 2;
        }
    }
}

/// Makes room again.
pub fn make_room(dir: &Path) {
    std::fs::remove_file(dir.join("filler")).expect("the filler");
}

/// Stops a process where it is, or lets it go on: `STOP` and `CONT`.
pub fn signal(pid: u32, name: &str) {
    run("kill", &format!("-{name} {pid}"));
}
