PRAGMA auto_vacuum=2;
PRAGMA journal_mode=wal;
PRAGMA application_id=0;
PRAGMA user_version=0;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE cameras (
	camera_key INTEGER NOT NULL, 
	node_key INTEGER NOT NULL, 
	camera TEXT NOT NULL, 
	name TEXT NOT NULL, 
	last_heard_s DOUBLE, 
	CONSTRAINT pk_cameras PRIMARY KEY (camera_key), 
	CONSTRAINT fk_cameras_node_key FOREIGN KEY(node_key) REFERENCES nodes (node_key), 
	CONSTRAINT uq_cameras_camera UNIQUE (camera)
);
INSERT INTO "cameras" VALUES(1,1,'node-1/cam','Door',1790000100.0);
CREATE TABLE drops (
	drop_id INTEGER NOT NULL, 
	node_key INTEGER NOT NULL, 
	boot_epoch BIGINT NOT NULL, 
	seq BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	first_seq BIGINT NOT NULL, 
	last_seq BIGINT NOT NULL, 
	items BIGINT NOT NULL, 
	received_at_s DOUBLE NOT NULL, 
	CONSTRAINT pk_drops PRIMARY KEY (drop_id), 
	CONSTRAINT fk_drops_node_key FOREIGN KEY(node_key) REFERENCES nodes (node_key), 
	CONSTRAINT uq_drops_node_key_boot_epoch_seq UNIQUE (node_key, boot_epoch, seq)
);
INSERT INTO "drops" VALUES(1,1,1,5,'spool full',6,8,3,1790000095.0);
CREATE TABLE embeddings (
	observation_id INTEGER NOT NULL, 
	taken_at_s DOUBLE NOT NULL, 
	model_id TEXT NOT NULL, 
	dim INTEGER NOT NULL, 
	embeddings_f16 BLOB NOT NULL, 
	qualities_f16 BLOB NOT NULL, 
	CONSTRAINT pk_embeddings PRIMARY KEY (observation_id), 
	CONSTRAINT fk_embeddings_observation_id FOREIGN KEY(observation_id) REFERENCES observations (observation_id)
);
INSERT INTO "embeddings" VALUES(1,1790000000.0,'osnet',16,X'8B306635583048B8F335DE310FB3A433CB30BC2FFA213033D7B448AC56B2DF337F2023AC88B147AB5F17CCAB94341F33CBB8AEB6F2A8F9AD0B2A262A7D37DDB3',X'0038003C');
INSERT INTO "embeddings" VALUES(2,1790000030.0,'osnet',16,X'732A75B00BAF34B9AC37E1348DAD9932CC2CB9B02B344CAD9CADC1B2C22FC4A63A30B5B0DE27EBB28632D529202D5E2ED7B31332F9375AB6B5B6D6B58632FC27',X'0038003C');
INSERT INTO "embeddings" VALUES(3,1790000060.0,'osnet',16,X'07368DB7F12CB5AE59AD18A9F8B57BA91DB1E83856292BACA6AAE5AF3CB29EACD030C4ACC834FBABC11FB83772310CB14EAB6631D53863ADDDAC01356DB4D4AD',X'0038003C');
CREATE TABLE gaps (
	gap_id INTEGER NOT NULL, 
	camera_key INTEGER NOT NULL, 
	from_s DOUBLE NOT NULL, 
	to_s DOUBLE NOT NULL, 
	reason TEXT NOT NULL, 
	node_key INTEGER NOT NULL, 
	boot_epoch BIGINT, 
	seq BIGINT, 
	CONSTRAINT pk_gaps PRIMARY KEY (gap_id), 
	CONSTRAINT fk_gaps_camera_key FOREIGN KEY(camera_key) REFERENCES cameras (camera_key), 
	CONSTRAINT fk_gaps_node_key FOREIGN KEY(node_key) REFERENCES nodes (node_key), 
	CONSTRAINT uq_gaps_node_key_boot_epoch_seq UNIQUE (node_key, boot_epoch, seq)
);
INSERT INTO "gaps" VALUES(1,1,1790000060.0,1790000090.0,'camera lost',1,1,4);
CREATE TABLE identities (
	identity_key INTEGER NOT NULL, 
	identity_id TEXT NOT NULL, 
	label TEXT, 
	first_seen_s DOUBLE NOT NULL, 
	last_seen_s DOUBLE NOT NULL, 
	CONSTRAINT pk_identities PRIMARY KEY (identity_key), 
	CONSTRAINT uq_identities_identity_id UNIQUE (identity_id)
);
INSERT INTO "identities" VALUES(1,'ada',NULL,1789999998.0,1790000030.0);
INSERT INTO "identities" VALUES(2,'bob',NULL,1790000058.0,1790000060.0);
CREATE TABLE nodes (
	node_key INTEGER NOT NULL, 
	node_id TEXT NOT NULL, 
	resume_boot_epoch BIGINT, 
	resume_seq BIGINT, 
	CONSTRAINT pk_nodes PRIMARY KEY (node_key), 
	CONSTRAINT uq_nodes_node_id UNIQUE (node_id)
);
INSERT INTO "nodes" VALUES(1,'node-1',1,5);
CREATE TABLE observations (
	observation_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	node_key INTEGER NOT NULL, 
	boot_epoch BIGINT NOT NULL, 
	seq BIGINT NOT NULL, 
	camera_key INTEGER NOT NULL, 
	track_id BIGINT NOT NULL, 
	part INTEGER NOT NULL, 
	final BOOLEAN NOT NULL, 
	started_at_s DOUBLE NOT NULL, 
	ended_at_s DOUBLE NOT NULL, 
	grabbed_at_s DOUBLE NOT NULL, 
	received_at_s DOUBLE NOT NULL, 
	x1_rel DOUBLE NOT NULL, 
	y1_rel DOUBLE NOT NULL, 
	x2_rel DOUBLE NOT NULL, 
	y2_rel DOUBLE NOT NULL, 
	frames INTEGER NOT NULL, 
	identity_key INTEGER, 
	assignment_state TEXT, 
	assignment_probability DOUBLE, 
	CONSTRAINT fk_observations_camera_key FOREIGN KEY(camera_key) REFERENCES cameras (camera_key), 
	CONSTRAINT fk_observations_identity_key FOREIGN KEY(identity_key) REFERENCES identities (identity_key), 
	CONSTRAINT fk_observations_node_key FOREIGN KEY(node_key) REFERENCES nodes (node_key), 
	CONSTRAINT uq_observations_node_key_boot_epoch_seq UNIQUE (node_key, boot_epoch, seq)
);
INSERT INTO "observations" VALUES(1,1,1,1,1,7,0,1,1789999998.0,1790000000.0,1790000000.0,1790000000.0,0.1,0.2,0.3,0.4,20,1,'new',0.9);
INSERT INTO "observations" VALUES(2,1,1,2,1,7,1,1,1790000028.0,1790000030.0,1790000030.0,1790000030.0,0.1,0.2,0.3,0.4,20,1,'matched',0.9);
INSERT INTO "observations" VALUES(3,1,1,3,1,8,0,1,1790000058.0,1790000060.0,1790000060.0,1790000060.0,0.1,0.2,0.3,0.4,20,2,'matched',0.9);
CREATE TABLE thumbnails (
	observation_id INTEGER NOT NULL, 
	taken_at_s DOUBLE NOT NULL, 
	jpeg BLOB NOT NULL, 
	CONSTRAINT pk_thumbnails PRIMARY KEY (observation_id), 
	CONSTRAINT fk_thumbnails_observation_id FOREIGN KEY(observation_id) REFERENCES observations (observation_id)
);
INSERT INTO "thumbnails" VALUES(1,1790000000.0,X'FFD8FFE02061207069637475726520FFD9');
CREATE INDEX ix_identities_last_seen_s ON identities (last_seen_s);
CREATE INDEX ix_observations_camera_key_boot_epoch_track_id ON observations (camera_key, boot_epoch, track_id);
CREATE INDEX ix_observations_ended_at_s ON observations (ended_at_s);
CREATE INDEX ix_observations_identity_key_ended_at_s ON observations (identity_key, ended_at_s);
CREATE INDEX ix_embeddings_taken_at_s ON embeddings (taken_at_s);
CREATE INDEX ix_thumbnails_taken_at_s ON thumbnails (taken_at_s);
CREATE INDEX ix_gaps_camera_key_to_s ON gaps (camera_key, to_s);
CREATE INDEX ix_gaps_to_s ON gaps (to_s);
CREATE INDEX ix_drops_received_at_s ON drops (received_at_s);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('observations',3);
COMMIT;
