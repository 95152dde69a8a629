-- Confusable-tolerant search (O for 0, I for 1, ...) without a scan. The two strings are schemas.confusion.FOLD.
CREATE INDEX plate_events_normalized_folded
    ON plate_events (translate(plate_normalized_text, 'ODQILZSBG', '000112586') text_pattern_ops, captured_at DESC);
CREATE INDEX plate_events_resolved_folded
    ON plate_events (translate(resolved_text, 'ODQILZSBG', '000112586') text_pattern_ops, captured_at DESC);
