//! What a job is to make: of what kind, how large, which frames.

use serde::{Deserialize, Serialize};

/// What a client wants made. What is left out, the template decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputRequest {
    /// Pixels, 4 to 16384.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels, 4 to 16384.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Samples per pixel, 1 to 65536.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<RenderEngine>,
    /// The frame that a picture shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<i32>,
    /// The frames of a video; all of the scene's, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<FrameRange>,
    /// Pictures a second of a video, 1 to 240; the scene's, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
    /// Of what loses something, 1 to 100; 90 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// The first that the template makes, if left out. A job that was taken on has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<OutputFormat>,
}

/// Frames from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameRange {
    pub first: i32,
    pub last: i32,
    #[serde(default = "every", skip_serializing_if = "is_every")]
    pub step: u32,
}

impl FrameRange {
    /// How many frames there are; none if the last comes before the first.
    pub fn count(self) -> u64 {
        let span = i64::from(self.last) - i64::from(self.first);
        u64::try_from(span).map_or(0, |span| span / u64::from(self.step.max(1)) + 1)
    }
}

fn every() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_every(step: &u32) -> bool {
    *step == 1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RenderEngine {
    Cycles,
    Eevee,
    Workbench,
}

/// Of what kind a job's file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    Png,
    Jpeg,
    Webp,
    Avif,
    Exr,
    Mp4,
    Webm,
    Json,
    Glb,
    Usdz,
    Usdc,
    Fbx,
}

impl OutputFormat {
    /// What can be made of any scene by rendering it.
    pub const RENDERED: [Self; 7] =
        [Self::Png, Self::Jpeg, Self::Webp, Self::Avif, Self::Exr, Self::Mp4, Self::Webm];

    /// As a client reads and writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
            Self::Avif => "avif",
            Self::Exr => "exr",
            Self::Mp4 => "mp4",
            Self::Webm => "webm",
            Self::Json => "json",
            Self::Glb => "glb",
            Self::Usdz => "usdz",
            Self::Usdc => "usdc",
            Self::Fbx => "fbx",
        }
    }

    /// The ending of a file's name, without the dot.
    pub fn suffix(self) -> &'static str {
        if self == Self::Jpeg { "jpg" } else { self.name() }
    }

    /// The format that files with this ending have.
    pub fn of_suffix(suffix: &str) -> Option<Self> {
        const DOCUMENTS: [OutputFormat; 5] = [
            OutputFormat::Json,
            OutputFormat::Glb,
            OutputFormat::Usdz,
            OutputFormat::Usdc,
            OutputFormat::Fbx,
        ];
        let suffix = suffix.to_ascii_lowercase();
        let mut all = Self::RENDERED.into_iter().chain(DOCUMENTS);
        all.find(|format| format.suffix() == suffix || format.name() == suffix)
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
            Self::Exr => "image/x-exr",
            Self::Mp4 => "video/mp4",
            Self::Webm => "video/webm",
            Self::Json => "application/json",
            Self::Glb => "model/gltf-binary",
            Self::Usdz => "model/vnd.usdz+zip",
            Self::Usdc | Self::Fbx => "application/octet-stream",
        }
    }

    pub fn is_video(self) -> bool {
        matches!(self, Self::Mp4 | Self::Webm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_as_they_are_rendered() {
        let count = |first, last, step| FrameRange { first, last, step }.count();
        assert_eq!(
            [count(1, 1, 1), count(1, 24, 1), count(1, 24, 5), count(-2, 2, 2)],
            [1, 24, 5, 3]
        );
        assert_eq!(count(5, 4, 1), 0);
        assert_eq!(count(i32::MIN, i32::MAX, 1), 1 << 32);
    }

    #[test]
    fn a_format_is_told_by_the_ending_of_a_file() {
        let named = ["jpg", "JPEG", "png", "usdz", "tiff"].map(OutputFormat::of_suffix);
        let jpeg = Some(OutputFormat::Jpeg);
        assert_eq!(named, [jpeg, jpeg, Some(OutputFormat::Png), Some(OutputFormat::Usdz), None]);
    }

    #[test]
    fn an_output_of_an_older_version_is_read_as_it_was_meant() {
        let read: OutputRequest = serde_json::from_str(r#"{"width":64,"format":"png"}"#).unwrap();
        assert_eq!((read.width, read.format), (Some(64), Some(OutputFormat::Png)));
        assert_eq!(serde_json::from_str::<OutputRequest>("{}").unwrap(), OutputRequest::default());
    }
}
