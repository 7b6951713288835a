//! Folders that go with their test.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

/// A folder that is removed with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    /// Where cargo has its own, with room for large files.
    pub fn new(name: &str) -> Folder {
        Folder::below(env!("CARGO_TARGET_TMPDIR").into(), name)
    }

    /// Where everybody has theirs: the path is short enough for a socket, and others may go there.
    pub fn in_temp(name: &str) -> Folder {
        let folder = Folder::below(std::env::temp_dir(), &format!("muxnc-{name}"));
        std::fs::set_permissions(&folder.0, PermissionsExt::from_mode(0o755)).unwrap();
        folder
    }

    fn below(place: PathBuf, name: &str) -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = place.join(format!("{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// The path of a file in it, as a word of a command.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
