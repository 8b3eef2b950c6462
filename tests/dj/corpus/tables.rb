#: the table of 2009 | 4.2 5.0 5.1 5.2 6.0 6.1
def self.up
  create_table :delayed_jobs, :force => true do |table|
    table.integer  :priority, :default => 0      # Allows some jobs to jump to the front of the queue
    table.integer  :attempts, :default => 0
    table.text     :handler
    table.string   :last_error
    table.datetime :run_at
    table.datetime :locked_at
    table.datetime :failed_at
    table.string   :locked_by
    table.timestamps
  end
end
def self.down
  drop_table :delayed_jobs
end

#: the gem's table | 4.2 5.0 5.2 6.1
def self.up
  create_table :delayed_jobs do |table|
    table.integer :priority, default: 0, null: false
    table.integer :attempts, default: 0, null: false
    table.text :handler, null: false
    table.text :last_error
    table.datetime :run_at
    table.datetime :locked_at
    table.datetime :failed_at
    table.string :locked_by
    table.string :queue
    table.timestamps null: true
  end
  add_index :delayed_jobs, [:priority, :run_at], name: "delayed_jobs_priority"
end
def self.down
  drop_table :delayed_jobs
end

#: the gem's upgrade of a table of 2009 | 4.2 6.1
def self.up
  create_table(:delayed_jobs) { |t| t.integer :priority, :default => 0; t.text :handler }
  add_index :delayed_jobs, :priority
  add_column :delayed_jobs, :queue, :string
end
def self.down
  remove_column :delayed_jobs, :queue
end

#: instance methods up and down | 4.2 5.1 6.1
def up
  create_table("users") { |u| u.string "name" }
end
def down
  drop_table "users"
end

#: up without a down
def up
  create_table :users
end

#: a table without a block, and one with an empty block
def change
  create_table :users
  create_table(:teams) { |t| }
end

#: force makes the table anew
def up
  create_table(:users) { |t| t.string :a }
  create_table(:users, force: true) { |t| t.string :b }
  create_table(:users, force: :cascade) { |t| t.string :c }
end
def down
  drop_table :users, if_exists: true
  drop_table :users, if_exists: true
end

#: a table that is there is left alone | 5.2 6.1
def up
  create_table(:users) { |t| t.string :a; t.index :a }
  create_table(:users, if_not_exists: true) { |t| t.string :a; t.index :a }
end
def down
  drop_table :users, force: :cascade
end

#: no id, own id, id of another type | 4.2 5.0 5.1 6.1
def change
  create_table(:a, id: false) { |t| t.string :k, primary_key: true }
  create_table(:b, primary_key: :code) { |t| t.string :x, index: true }
  create_table :c, id: :string
  create_table :d, id: :integer
  create_table :e, id: :bigint
  create_table(:f, id: false) { |t| t.integer :x }
  create_table(:g, id: false) { |t| t.primary_key :code }
end

#: a primary key of two columns
def change
  create_table(:e, primary_key: [:x, :y]) { |t| t.integer :x, :y }
end

#: the primary key is a uuid | 5.1 6.1
def change
  create_table(:u, id: :uuid) { |t| t.string :name }
end

#: a primary key by hand, with options
def change
  create_table(:g, id: :string, limit: 20) { |t| t.integer :n }
  create_table(:h, id: false) { |t| t.primary_key :code, :string; t.integer :n }
end

#: join tables | 4.2 5.0 6.1
def change
  create_join_table :users, :groups
  create_join_table(:artists, :records, table_name: "discography") { |t| t.index :artist_id; t.string :role }
  create_join_table :music_artists, :music_records
  create_join_table :a, :b, column_options: {null: true}
end

#: a join table is dropped and comes back
def up
  create_join_table :users, :groups
  create_join_table(:posts, :tags) { |t| t.index [:post_id, :tag_id] }
  drop_join_table :users, :groups
end
def down
  drop_join_table :posts, :tags
end

#: a dropped table comes back with its block
def change
  create_table(:temp) { |t| t.string :x }
  drop_table(:temp) { |t| t.string :x }
end

#: renamed tables take their indexes and sequences along | 5.0 6.1
def change
  create_table(:users) { |t| t.string :name, index: true; t.index [:name, :id], name: "own" }
  rename_table :users, :people
end

#: a table made of a question
def up
  create_table(:users) { |t| t.string :name }
  execute "INSERT INTO users (name) VALUES ('x')"
  create_table :names, as: "SELECT name FROM users"
end
def down
  drop_table :names
  drop_table :users
end

#: comments on tables and columns | postgresql
def change
  create_table(:users, comment: "who's there") { |t| t.string :name, comment: "as spoken" }
  change_table_comment :users, from: "who's there", to: "people"
  change_column_comment :users, :name, from: "as spoken", to: nil
end

#: comments are dropped silently | sqlite
def change
  create_table(:users, comment: "who's there") { |t| t.string :name, comment: "as spoken" }
end
