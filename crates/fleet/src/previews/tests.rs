use std::fs;

use image::{Rgba, RgbaImage};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

struct Room {
    folder: TempDir,
    previews: Arc<Previews>,
    job: JobId,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let previews = Previews::new(TaskTracker::new());
        Self { folder, previews, job: JobId::new(Uuid::now_v7()) }
    }

    fn picture(&self, name: &str, width: u32, height: u32, alpha: u8) -> PathBuf {
        let path = self.folder.path().join(name);
        RgbaImage::from_pixel(width, height, Rgba([200, 20, 20, alpha])).save(&path).unwrap();
        path
    }

    fn show(&self, number: u32, path: PathBuf) {
        let attempt = Attempt { job: self.job, number };
        let (worker, picture) = (WorkerId("worker-1".into()), PictureUnderWay::Whole { path });
        self.previews.show(&worker, attempt, picture, self.folder.path().to_owned());
    }

    async fn newest(&self) -> Option<Arc<Preview>> {
        self.previews.newest(self.job).await
    }
}

fn size(preview: &Preview) -> (u32, u32) {
    let image = image::load_from_memory(&preview.bytes).unwrap();
    (image.width(), image.height())
}

#[tokio::test]
async fn the_newest_picture_is_small_and_made_once() {
    let room = Room::new();
    assert_eq!(room.newest().await, None);
    room.show(1, room.picture("1.png", 2000, 1000, 255));
    let first = room.newest().await.unwrap();
    assert_eq!((first.content_type.as_str(), size(&first)), ("image/jpeg", (512, 256)));
    assert!(Arc::ptr_eq(&first, &room.newest().await.unwrap()));
    room.show(1, room.picture("2.png", 30, 20, 255));
    let second = room.newest().await.unwrap();
    assert_eq!(size(&second), (30, 20), "it is small already");
    assert_ne!(first.tag, second.tag);
}

#[tokio::test]
async fn what_can_be_seen_through_stays_so() {
    let room = Room::new();
    room.show(1, room.picture("1.png", 8, 8, 100));
    let preview = room.newest().await.unwrap();
    assert_eq!(preview.content_type, "image/png");
    let image = image::load_from_memory(&preview.bytes).unwrap().to_rgba8();
    assert_eq!(image.get_pixel(3, 3).0, [200, 20, 20, 100]);
}

#[tokio::test]
async fn a_picture_that_is_gone_or_broken_leaves_the_one_before() {
    let room = Room::new();
    let path = room.picture("1.png", 8, 8, 255);
    room.show(1, path.clone());
    let before = room.newest().await;
    room.show(1, path.with_file_name("none.png"));
    assert_eq!(room.newest().await, before);
    let broken = path.with_file_name("broken.png");
    fs::write(&broken, b"no picture").unwrap();
    room.show(1, broken.clone());
    assert_eq!(room.newest().await, before);
    room.show(2, broken);
    assert_eq!(room.newest().await, None, "another attempt begins anew");
}

#[cfg(unix)]
#[tokio::test]
async fn a_worker_has_no_picture_of_what_is_not_its_own() {
    let (room, other) = (Room::new(), Room::new());
    let secret = other.picture("secret.png", 8, 8, 255);
    room.show(1, secret.clone());
    assert_eq!(room.newest().await, None);
    let link = room.folder.path().join("link.png");
    std::os::unix::fs::symlink(secret, &link).unwrap();
    room.show(1, link);
    assert_eq!(room.newest().await, None);
}

#[tokio::test(start_paused = true)]
async fn pictures_in_quick_succession_are_told_of_twice_a_second_and_the_last_for_sure() {
    let room = Room::new();
    let mut told = room.previews.subscribe();
    for _ in 0..10 {
        room.show(1, PathBuf::from("picture.png"));
    }
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let Event::JobPreview { number, .. } = told.recv().await.unwrap() else {
            panic!("it tells of pictures")
        };
        numbers.push(number);
    }
    assert_eq!(numbers, [1, 10]);
    assert!(told.try_recv().is_err());
}
