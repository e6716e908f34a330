# flags: --memory=512M
cat >hello.rs <<'R'
use std::{fs, process::Command, sync::mpsc, thread};
fn main() {
    let (sender, receiver) = mpsc::channel();
    for i in 0..8 {
        let sender = sender.clone();
        thread::spawn(move || sender.send(i).unwrap());
    }
    drop(sender);
    let sum: i32 = receiver.iter().sum();
    fs::write("file", "x").unwrap();
    let child = Command::new("/bin/echo").arg("child").output().unwrap();
    println!("hello {} {}", sum, String::from_utf8_lossy(&child.stdout));
}
R
rustc -O -o hello hello.rs; ./hello | grep -q '^hello 28 child'
