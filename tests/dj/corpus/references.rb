#: references in a new table | 4.2 5.0 5.1 5.2 6.0 6.1
def change
  create_table :users
  create_table :posts do |t|
    t.references :user
    t.references :editor, null: false
    t.belongs_to :blog, index: {unique: true}
    t.references :site, index: false
  end
end

#: polymorphic references | 4.2 5.0 6.0 6.1
def change
  create_table :posts do |t|
    t.references :about, polymorphic: true
    t.references :of, polymorphic: {default: "Photo"}, index: false
    t.references :by, polymorphic: true, null: false, index: {name: "by_whom"}
  end
end

#: references added and removed | 4.2 5.0 6.1
def change
  create_table(:posts) { |t| t.string :x }
  add_reference :posts, :user
  add_reference :posts, :about, polymorphic: true
  add_belongs_to :posts, :blog, index: true
  add_reference :posts, :team, type: :string
end

#: a removed reference comes back
def change
  create_table(:posts) { |t| t.references :user, index: true; t.string :x }
  remove_reference :posts, :user, index: true
end

#: a reference of several columns is removed
def up
  create_table(:posts) { |t| t.references :user; t.references :about, polymorphic: true; t.string :x }
  remove_belongs_to :posts, :user
  remove_reference :posts, :about, polymorphic: true
end
def down
  drop_table :posts
end

#: references of another type
def change
  create_table(:posts) { |t| t.references :user, type: :uuid; t.references :team, type: :integer, null: false }
end

#: foreign keys in a new table
def change
  create_table :users
  create_table :teams
  create_table :posts do |t|
    t.references :user, null: false, foreign_key: true
    t.references :author, foreign_key: {to_table: :users, on_delete: :cascade}
    t.references :team, foreign_key: {on_delete: :nullify, on_update: :restrict}
    t.bigint :owner_id
    t.foreign_key :users, column: :owner_id
  end
end

#: foreign keys added | copied 5.0 6.1
def change
  create_table :users
  create_table(:posts) { |t| t.references :user; t.bigint :owner_id }
  add_foreign_key :posts, :users
  add_foreign_key :posts, :users, column: :owner_id, name: "owned", on_delete: :cascade
end

#: foreign keys removed
def up
  create_table :users
  create_table(:posts) { |t| t.references :user, foreign_key: true; t.references :owner, foreign_key: {to_table: :users} }
  remove_foreign_key :posts, :users, column: :owner_id
  remove_foreign_key :posts, :users
end
def down
  drop_table :posts
  drop_table :users
end

#: a removed foreign key comes back
def change
  create_table :users
  create_table(:posts) { |t| t.references :user, foreign_key: true }
  remove_foreign_key :posts, :users
end

#: a foreign key to another column
def change
  create_table(:users) { |t| t.string :code; t.index :code, unique: true }
  create_table(:posts) { |t| t.string :user_code }
  add_foreign_key :posts, :users, column: :user_code, primary_key: :code
end

#: a reference with its foreign key is added | 5.2 6.1
def change
  create_table :users
  create_table(:posts) { |t| t.string :x }
  add_reference :posts, :user, foreign_key: true
end

#: a foreign key that is not checked yet | postgresql
def change
  create_table :users
  create_table(:posts) { |t| t.bigint :user_id }
  add_foreign_key :posts, :users, validate: false
end
