"""One camera's chain from frame to tracklets; called by one thread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ruid_core.geometry.boxes import to_relative
from ruid_core.tracking import Crossing, Stay, Track, Tracker, TrackerSettings, TrackerStep
from ruid_core.tracking.appearance import Appearances, Exchange
from ruid_core.tracking.embedding_schedule import Candidate, EmbeddingSchedule
from ruid_core.tracking.fragments import Fragments
from ruid_core.tracking.tracklets import Sample, Sighting, Tracklet, TrackletRecorder
from ruid_core.vision import Detections, crop_quality
from ruid_core.vision.sense import SceneSense
from ruid_edge.capture import Frame
from ruid_edge.health.stages import StageTimes
from ruid_edge.pipeline.adaptation import Effort
from ruid_edge.pipeline.gate import ChangeGate
from ruid_edge.pipeline.pictures import encode_still, hide, sample, turn
from ruid_edge.pipeline.places import Places, PlaceStep
from ruid_edge.pipeline.rules import CameraRules
from ruid_edge.pipeline.thumbnails import cut_crop

Box = tuple[float, float, float, float]

_PRESENT_WITHIN_S = 0.35
"""Somebody who was not seen for longer may be hidden or gone, and does not count as in view."""
_CLOCK_STEP_S = 1.0
_LEAST_STEP_S = 1e-3
_EARLY = 0.9
"""A detector that may look every 0.1 s looks at frames 0.09 s apart as well: frames do not come on the dot."""
_SENSE_EVERY_S = 0.5
_DOUBTFUL_FOR_S = 1.0
"""What is not confirmed by then, and does not move, is furniture."""
_STILL_SLOWER = 8.0
"""Nobody is embedded twice from a picture that has not changed; this often, it may have, unnoticed."""
_EDGE = 0.02
"""Who was last seen this near the picture's edge (of its width) has left, and is not hidden."""
_SURELY_ABOVE = 0.05
"""A new track must on average be this much surer than its first detection, as in the tracker's own settings."""


class Detector(Protocol):
    """Finds people in a picture."""

    def detect(self, picture_bgr: NDArray[np.uint8]) -> Detections:
        """Return the people in an (H, W, 3) picture, in its pixels."""
        ...


class CropEmbedder(Protocol):
    """Turns crops of a picture into unit vectors of `dim` values."""

    @property
    def dim(self) -> int:
        """How many values an embedding has."""
        ...

    def embed(self, picture_bgr: NDArray[np.uint8], boxes_xyxy_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, dim) unit rows for N boxes."""
        ...


@dataclass(frozen=True, slots=True)
class Models:
    """The models of one camera; the embedder may be shared between cameras of one thread.

    `load_lighter` gives the detector for when the node must do with less; without it there is no such step.
    """

    detector: Detector
    embedder: CropEmbedder
    load_lighter: Callable[[], Detector] | None = None


@dataclass(frozen=True, slots=True)
class LivePerson:
    """Somebody in view; `box_rel` in fractions of the picture.

    `seen` is False for one who is hidden in this very frame, or whose box is predicted because nobody looked.
    """

    track_id: int
    box_rel: Box
    confidence: float
    started_at_s: float
    seen: bool
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class FrameOutcome:
    """What one frame gave: who is in view, the tracklets that are due, and what happened at zones and lines.

    `looked` is False where the detector was spared: nothing had changed, or the node must do with less.
    """

    captured_at_s: float
    grabbed_at_s: float
    detections: int
    people: tuple[LivePerson, ...]
    tracklets: tuple[Tracklet, ...]
    crossings: tuple[Crossing, ...] = ()
    stays: tuple[Stay, ...] = ()
    senses: tuple[str, ...] = ()
    looked: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class LastParts:
    """What is left when tracks end all at once."""

    tracklets: tuple[Tracklet, ...] = ()
    stays: tuple[Stay, ...] = ()


_NOTHING = LastParts()


class CameraPipeline:
    """Turns the frames of one camera, all of one size, into tracklets.

    `rules` and `effort` are asked before each frame, so what they return changes between two frames and never
    within one.
    """

    def __init__(
        self,
        models: Models,
        *,
        size_px: tuple[int, int],
        next_track_id: Callable[[], int],
        stages: StageTimes,
        rules: Callable[[], CameraRules] = CameraRules,
        effort: Callable[[], Effort] = Effort,
    ) -> None:
        self.size_px = size_px
        self._models = models
        self._lighter: Detector | None = None
        self._stages = stages
        self._next_track_id = next_track_id
        self._ask_rules, self._ask_effort = rules, effort
        self._rules, self._effort = rules(), effort()
        self._tracker = self._new_tracker()
        self._places = self._new_places()
        self._schedule = EmbeddingSchedule()
        self._appearances = Appearances()
        self._fragments = Fragments.of_picture(width_px=size_px[0], height_px=size_px[1])
        self._recorder = TrackletRecorder(dim=models.embedder.dim)
        self._gate = ChangeGate()
        self._sense = SceneSense()
        self._senses: tuple[str, ...] = ()
        self._sensed_at_s = self._looked_at_s = self._empty_at_s = self._at_s = float("-inf")
        self._people: tuple[LivePerson, ...] = ()
        self._scene = 0
        self._newest: Frame | None = None

    def take(self, frame: Frame) -> FrameOutcome:
        """Work on the next frame: masks first, so that nothing after them sees what they hide."""
        last = self._begin_scene(frame)
        last = self._follow_rules() or last
        self._effort = self._ask_effort()
        with self._stages.measure("prepare"):
            frame = self._hide(self._turn(frame))
            self._newest = frame
            due = self._is_due(frame)
        outcome = self._look(frame) if due else self._spare(frame)
        return replace(
            outcome,
            tracklets=last.tracklets + outcome.tracklets,
            stays=last.stays + outcome.stays,
            senses=self._senses,
        )

    def still(self) -> tuple[float, bytes]:
        """Return the time of the newest frame and a JPEG of it, masked by the rules of now; b"" before the first.

        May be called from another thread.
        """
        frame = self._newest
        if frame is None:
            return 0.0, b""
        return frame.captured_at_s, encode_still(frame.picture_bgr, self._ask_rules().masks_rel)

    def finish(self) -> LastParts:
        """End every track and return what is left of them."""
        ended = self._tracker.finish().ended_track_ids
        self._people = ()
        step = self._places.see((), ended_track_ids=ended, at_s=self._at_s)
        return LastParts(self._end(ended), step.stays)

    # --- before a frame --------------------------------------------------------------------------------

    def _begin_scene(self, frame: Frame) -> LastParts:
        """Set the time of this frame; where continuity is lost, tracks end: what follows is not where it was.

        A clock that steps back a little (it was corrected) does not end them, time just stands still meanwhile.
        """
        stepped_back_s = self._at_s - frame.captured_at_s
        if frame.scene == self._scene and stepped_back_s < _CLOCK_STEP_S:
            self._at_s = frame.captured_at_s if stepped_back_s < 0 else self._at_s + _LEAST_STEP_S
            return _NOTHING
        self._scene, self._at_s = frame.scene, frame.captured_at_s
        self._sensed_at_s = self._looked_at_s = float("-inf")
        last = self.finish()
        self._tracker = self._new_tracker()
        return last

    def _follow_rules(self) -> LastParts | None:
        """Put new rules into force; return what ends with the old ones, None where nothing changed."""
        rules, before = self._ask_rules(), self._rules
        if rules is before or rules == before:
            return None
        self._rules = rules
        self._sense = SceneSense()
        last = _NOTHING
        begun_anew = (rules.detection_confidence, rules.upside_down)
        if begun_anew != (before.detection_confidence, before.upside_down):
            last = self.finish()
            self._tracker = self._new_tracker()
        if (rules.zones, rules.lines) != (before.zones, before.lines):
            last = LastParts(last.tracklets, last.stays + self._places.finish())
            self._places = self._new_places()
        return last

    def _turn(self, frame: Frame) -> Frame:
        if not self._rules.upside_down:
            return frame
        small = None if frame.small_bgr is None else turn(frame.small_bgr)
        return replace(frame, picture_bgr=turn(frame.picture_bgr), small_bgr=small)

    def _hide(self, frame: Frame) -> Frame:
        masks = self._rules.masks_rel
        if not masks:
            return frame
        small = None if frame.small_bgr is None else hide(frame.small_bgr, masks)
        return replace(frame, picture_bgr=hide(frame.picture_bgr, masks), small_bgr=small)

    def _is_due(self, frame: Frame) -> bool:
        """Return whether the detector should look at this frame; the picture's own state is judged on the way."""
        small = sample(frame.picture_bgr)
        if self._at_s - self._sensed_at_s >= _SENSE_EVERY_S:
            self._sensed_at_s = self._at_s
            self._senses = self._sense.see(small, frame.picture_bgr, at_s=self._at_s)
        changed = self._gate.opens_for(small, at_s=self._at_s, occupied=self._is_occupied())
        rested_s = self._at_s - self._looked_at_s
        return changed and rested_s >= _EARLY * self._effort.detect_every_s

    def _is_occupied(self) -> bool:
        """Return whether somebody is in view, or may turn out to be within a second."""
        if self._tracker.is_empty:
            self._empty_at_s = self._at_s
            return False
        return bool(self._people) or self._at_s - self._empty_at_s < _DOUBTFUL_FOR_S

    # --- a frame ---------------------------------------------------------------------------------------

    def _look(self, frame: Frame) -> FrameOutcome:
        """Detect, follow, embed and record."""
        self._looked_at_s = self._at_s
        with self._stages.measure("detect"):
            detections = self._detect(frame)
        with self._stages.measure("track"):
            step = self._follow(detections, frame)
            visible = [track for track in step.tracks if track.detection_index >= 0]
            self._recorder.see(self._sightings(visible), at_s=self._at_s, grabbed_at_s=frame.grabbed_at_s)
            places = self._places.see(visible, ended_track_ids=step.ended_track_ids, at_s=self._at_s)
            self._fragments.see(step.tracks)
        with self._stages.measure("embed"):
            exchanged = self._embed(visible, frame)
        self._gate.looked(at_s=self._at_s, found_somebody=not self._tracker.is_empty)
        doubtful = self._appearances.doubtful(at_s=self._at_s) | self._fragments.unproven.keys()
        ended = self._end(step.ended_track_ids)
        tracklets = exchanged.tracklets + self._recorder.cut_due(at_s=self._at_s, doubtful=doubtful) + ended
        self._people = self._present(step.tracks)
        places = PlaceStep(places.crossings, places.stays + exchanged.stays)
        return self._outcome(frame, detections=len(detections), tracklets=tracklets, places=places)

    def _spare(self, frame: Frame) -> FrameOutcome:
        """Spare the detector: an unchanged picture shows who was there before, a changed one who should be now."""
        if self._effort.detect_every_s:
            self._people = self._present(self._tracker.foresee(at_s=self._at_s))
        return self._outcome(frame, looked=False)

    def _outcome(
        self,
        frame: Frame,
        *,
        detections: int = 0,
        tracklets: tuple[Tracklet, ...] = (),
        places: PlaceStep | None = None,
        looked: bool = True,
    ) -> FrameOutcome:
        places = places or PlaceStep()
        return FrameOutcome(
            captured_at_s=frame.captured_at_s,
            grabbed_at_s=frame.grabbed_at_s,
            detections=detections,
            people=self._people,
            tracklets=tracklets,
            crossings=places.crossings,
            stays=places.stays,
            looked=looked,
        )

    def _detect(self, frame: Frame) -> Detections:
        """Return people in pixels of the large picture, found in the small one where there is one."""
        detector = self._detector()
        if frame.small_bgr is None:
            return detector.detect(frame.picture_bgr)
        found = detector.detect(frame.small_bgr)
        small_height, small_width = frame.small_bgr.shape[:2]
        width, height = self.size_px
        scale = np.array([width / small_width, height / small_height] * 2, np.float32)
        return Detections(found.boxes_xyxy_px * scale, found.confidences)

    def _detector(self) -> Detector:
        if not self._effort.smaller_input or self._models.load_lighter is None:
            return self._models.detector
        if self._lighter is None:
            self._lighter = self._models.load_lighter()
        return self._lighter

    def _follow(self, detections: Detections, frame: Frame) -> TrackerStep:
        """Follow the people found; who comes out from behind something is known again by what he or she looks like."""

        def recognise(index: int, hidden: Sequence[Track]) -> int | None:
            box = detections.boxes_xyxy_px[index : index + 1]
            here = [track.track_id for track in hidden if self._is_inside(track.box_xyxy_px)]
            if not (here and self._is_inside(box[0].tolist())):
                return None
            return self._appearances.recognise(self._models.embedder.embed(frame.picture_bgr, box)[0], among=here)

        boxes, confidences = detections.boxes_xyxy_px, detections.confidences
        return self._tracker.update(boxes, confidences, at_s=self._at_s, recognise=recognise)

    def _is_inside(self, box_xyxy_px: Sequence[float]) -> bool:
        """Whether the left and right edge of the picture leave a box alone."""
        width = self.size_px[0]
        return box_xyxy_px[0] > _EDGE * width and box_xyxy_px[2] < (1 - _EDGE) * width

    def _end(self, track_ids: Sequence[int]) -> tuple[Tracklet, ...]:
        """Return the last parts of tracks that have ended; what may be a piece of somebody else shows nobody."""
        for track_id in self._fragments.unproven.keys() & track_ids:
            self._recorder.drop_crops(track_id)
        self._forget(track_ids)
        return self._recorder.end(track_ids)

    def _forget(self, track_ids: Sequence[int]) -> None:
        self._schedule.forget(track_ids)
        self._appearances.forget(track_ids)
        self._fragments.forget(track_ids)

    def _embed(self, tracks: Sequence[Track], frame: Frame) -> LastParts:
        """Embed whose turn it is; return what ends because it turns out to show somebody else."""
        if not tracks:
            return _NOTHING
        width, height = self.size_px
        boxes = np.array([track.box_xyxy_px for track in tracks], np.float32)
        qualities = crop_quality(boxes, width_px=width, height_px=height)
        candidates = [
            Candidate(track.track_id, float(quality), track.started_at_s)
            for track, quality in zip(tracks, qualities, strict=True)
        ]
        slower = self._effort.embed_slower if self._gate.changed else _STILL_SLOWER
        chosen = self._schedule.choose(candidates, at_s=self._at_s, slower=slower)
        if not chosen:
            return _NOTHING
        embeddings = self._models.embedder.embed(frame.picture_bgr, boxes[list(chosen)])
        last: list[LastParts] = []
        for index, embedding in zip(chosen, embeddings, strict=True):
            crop = cut_crop(frame.picture_bgr, tracks[index].box_xyxy_px, self._rules.thumbnails)
            taken = Sample(self._at_s, frame.grabbed_at_s, embedding, candidates[index].quality, crop)
            last.append(self._record(tracks[index].track_id, taken))
        return LastParts(
            tuple(tracklet for parts in last for tracklet in parts.tracklets),
            tuple(stay for parts in last for stay in parts.stays),
        )

    def _record(self, track_id: int, taken: Sample) -> LastParts:
        """Record a crop with whom it shows; return what ends where that is no longer the one before."""
        shown, last = self._appearances.judge(track_id, taken), _NOTHING
        if isinstance(shown, Exchange):
            track_id, last = self._exchange(track_id, shown)
            shown = shown.samples
        for one in shown:
            self._recorder.add(track_id, one)
        return last

    def _exchange(self, track_id: int, exchange: Exchange) -> tuple[int, LastParts]:
        """People have exchanged tracks: return whose this one is from now on, and what ends of the former."""

        def recognise(_: int, hidden: Sequence[Track]) -> int | None:
            here = [track.track_id for track in hidden if self._is_inside(track.box_xyxy_px)]
            return self._appearances.recognise(exchange.look, among=here)

        own_until_s, since_s = exchange.own_until_s, exchange.since_s
        to = self._tracker.exchange(track_id, since_s=since_s, recognise=recognise)
        if track_id in self._fragments.unproven:
            self._recorder.drop_crops(track_id)
        self._forget((track_id,))
        self._appearances.begin(to, exchange.samples)
        self._fragments.cut_off(to, since_s=since_s)
        tracklet = self._recorder.hand_over(track_id, to, own_until_s=own_until_s, since_s=since_s)
        return to, LastParts((tracklet,), self._places.hand_over(track_id, to))

    # --- parts -----------------------------------------------------------------------------------------

    def _new_tracker(self) -> Tracker:
        confidence = self._rules.detection_confidence
        if confidence is None:
            return Tracker(next_track_id=self._next_track_id)
        settings = TrackerSettings(
            sure_confidence=confidence, confirming_confidence=min(1.0, confidence + _SURELY_ABOVE)
        )
        return Tracker(next_track_id=self._next_track_id, settings=settings)

    def _new_places(self) -> Places:
        return Places(self._rules, width_px=self.size_px[0], height_px=self.size_px[1])

    def _sightings(self, tracks: Sequence[Track]) -> list[Sighting]:
        boxes_rel = self._relative_boxes(tracks)
        return [Sighting(track.track_id, box, track.started_at_s) for track, box in zip(tracks, boxes_rel, strict=True)]

    def _present(self, tracks: Sequence[Track]) -> tuple[LivePerson, ...]:
        present_within_s = max(_PRESENT_WITHIN_S, self._effort.detect_every_s)
        present = [track for track in tracks if self._at_s - track.last_seen_at_s <= present_within_s]
        return tuple(
            LivePerson(
                track.track_id,
                box,
                track.confidence,
                track.started_at_s,
                track.detection_index >= 0,
                self._places.zones_of(track.track_id),
            )
            for track, box in zip(present, self._relative_boxes(present), strict=True)
        )

    def _relative_boxes(self, tracks: Sequence[Track]) -> list[Box]:
        """Return boxes as fractions of the picture, cut at its edges."""
        if not tracks:
            return []
        boxes = np.array([track.box_xyxy_px for track in tracks], np.float32)
        relative = np.clip(to_relative(boxes, width_px=self.size_px[0], height_px=self.size_px[1]), 0, 1)
        return [(x1, y1, x2, y2) for x1, y1, x2, y2 in relative.tolist()]
