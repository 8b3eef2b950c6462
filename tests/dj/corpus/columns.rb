#: every type | 4.2 5.2 6.1
def change
  create_table :things do |t|
    t.string :a
    t.text :b, :b2
    t.integer :c
    t.bigint :d
    t.float :e
    t.decimal :f
    t.numeric :f2
    t.datetime :g
    t.timestamp :n
    t.time :h
    t.date :i
    t.binary :j
    t.boolean :k
    t.json :l
  end
end

#: every type by t.column | 5.0 6.1
def change
  create_table :things do |t|
    t.column :a, :string
    t.column "b", "text"
    t.column :c, :integer, default: 1, null: false
    t.column :m, "varchar(7)"
    t.column :n, :decimal, precision: 8, scale: 3
  end
end

#: limits
def change
  create_table :things do |t|
    t.string :a, limit: 20
    t.text :b, limit: 1000
    t.integer :one, limit: 1
    t.integer :two, limit: 2
    t.integer :three, limit: 3
    t.integer :four, limit: 4
    t.integer :eight, limit: 8
    t.float :e, limit: 24
    t.binary :j, limit: 10
  end
end

#: precision and scale | 5.2 6.1
def change
  create_table :things do |t|
    t.decimal :a, precision: 10, scale: 2
    t.decimal :b, precision: 5
    t.datetime :c, precision: 6
    t.datetime :d, precision: 3
    t.time :e, precision: 3
    t.numeric :g, precision: 12, scale: 0
  end
end

#: defaults of every kind
def change
  create_table :things do |t|
    t.string :a, default: "it's"
    t.string :empty, default: ""
    t.integer :c, default: "7"
    t.float :e, default: 1
    t.decimal :f, precision: 10, scale: 2, default: 1.5
    t.boolean :k, default: false
    t.boolean :yes, default: true
    t.json :l, default: {}
    t.text :t, default: "two\nlines"
    t.integer :n, default: nil
    t.integer :minus, default: -3
    t.date :day, default: "2020-01-02"
    t.datetime :moment, default: "2020-01-02 03:04:05"
  end
end

#: defaults that the database works out
def change
  create_table :things do |t|
    t.timestamp :n, default: -> { "CURRENT_TIMESTAMP" }
    t.datetime :m, null: false, default: -> { 'CURRENT_TIMESTAMP' }
  end
end

#: nulls
def change
  create_table :things do |t|
    t.string :a, null: false
    t.string :b, null: true
    t.boolean :c, null: false, default: false
  end
end

#: timestamps | 4.2 5.0 5.1 5.2 6.0 6.1
def change
  create_table(:a) { |t| t.timestamps }
  create_table(:b) { |t| t.timestamps null: false }
  create_table(:c) { |t| t.timestamps null: true }
  create_table(:d) { |t| t.string :x }
  add_timestamps :d, null: true
end

#: timestamps with a precision | 5.0 6.1
def change
  create_table(:a) { |t| t.timestamps precision: 3 }
end

#: added columns | 4.2 5.0 6.1
def change
  create_table(:t) { |t| t.string :a }
  add_column :t, :b, :integer
  add_column :t, :c, :string, limit: 10
  add_column :t, :e, :string, null: false, default: ""
  add_column :t, :f, :decimal, precision: 6, scale: 2
  add_column :t, :g, :boolean, default: true
  add_column :t, "h", "varchar(9)"
end

#: an added column that may not be null
def change
  create_table(:t) { |t| t.string :a }
  add_column :t, :b, :integer, null: false
end

#: several columns at once
def up
  create_table(:t) { |t| t.string :a }
  add_columns :t, :b, :c, type: :string, null: true
end
def down
  drop_table :t
end

#: several removed columns come back
def change
  create_table(:t) { |t| t.string :a, :b, :c }
  remove_columns :t, :b, :c, type: :string
end

#: a removed column | 4.2 6.1
def change
  create_table(:t) { |t| t.string :a; t.integer :b, default: 3; t.index [:a, :b] ; t.index :b }
  remove_column :t, :b, :integer, default: 3
end

#: several removed columns
def up
  create_table(:t) { |t| t.string :a, :b, :c }
  remove_columns :t, :a, :b
end
def down
  drop_table :t
end

#: renamed columns take their indexes along | 4.2 6.1
def change
  create_table(:t) { |t| t.string :a, null: false, default: "x"; t.integer :b, index: true; t.index [:a, :b], unique: true }
  rename_column :t, :b, :bb
  rename_column :t, :a, :aa
end

#: a changed type | 4.2 5.1 5.2 6.1
def up
  create_table(:t) { |t| t.integer :a; t.string :b; t.string :c, limit: 5, null: false, default: "x" }
  change_column :t, :a, :float
  change_column :t, :b, :text
  change_column :t, :c, :string, limit: 50
end
def down
  drop_table :t
end

#: a changed type with default and null | copied 5.1 6.1
def up
  create_table(:t) { |t| t.integer :a; t.string :b, default: "x" }
  change_column :t, :a, :bigint, default: 4, null: false
  change_column :t, :b, :string, default: nil
end
def down
  drop_table :t
end

#: a changed default | 5.0 6.1
def change
  create_table(:t) { |t| t.integer :a; t.string :b, default: "x"; t.boolean :c }
  change_column_default :t, :a, from: nil, to: 9
  change_column_default :t, :b, from: "x", to: nil
  change_column_default :t, :c, from: nil, to: false
end

#: a changed default, given by itself | 4.2 6.1
def up
  create_table(:t) { |t| t.integer :a }
  change_column_default :t, :a, 5
end
def down
  change_column_default(:t, :a, nil)
  drop_table :t
end

#: changed nulls | 4.2 6.1
def change
  create_table(:t) { |t| t.integer :a; t.string :b }
  change_column_null :t, :a, false
  change_column_null :t, :b, false, "none"
  change_column_null :t, :a, true
end

#: types of PostgreSQL | postgresql
def change
  create_table :things do |t|
    t.jsonb :a, default: {}, null: false
    t.uuid :b
    t.inet :c
    t.cidr :d
    t.macaddr :e
    t.tsvector :f
    t.xml :g
    t.interval :h
    t.point :i
    t.int4range :j
    t.daterange :k
    t.bit :l, limit: 4
    t.bit_varying :m
    t.money :n
    t.serial :o
    t.bigserial :p
    t.oid :q
  end
end

#: arrays | postgresql
def change
  create_table :things do |t|
    t.string :tags, array: true, default: []
    t.integer :numbers, array: true
    t.text :words, array: true, default: ["a", "b"], null: false
  end
end

#: extensions | postgresql
def change
  enable_extension "citext"
  create_table(:things) { |t| t.citext :name }
end

#: collations | sqlite
def change
  create_table(:things) { |t| t.string :name, collation: "NOCASE" ; t.integer :n }
  change_column_null :things, :n, false
end
